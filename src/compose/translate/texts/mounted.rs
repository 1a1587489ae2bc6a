//! The same of volumes and files.
//!
//! Invariant: as of all texts.

use super::{clipped, listed};

pub fn folder_bind(source: &str, target: &str) -> String {
    format!(
        "`{}` is a folder of the machine, which a cluster has not, so `{target}` holds what the image has. Use a named volume for data, and put code into the image.",
        clipped(source)
    )
}

pub fn volume_instead(source: &str, target: &str, claim: &str) -> String {
    format!(
        "`{}` is a folder of the machine, which a cluster has not, so `{target}` is a new volume, `{claim}`, with nothing in it. Copy into it what is to be there.",
        clipped(source)
    )
}

pub fn docker_socket() -> String {
    "There is no Docker in the cluster, so its socket is not there. What uses it needs another way, such as the Kubernetes API."
        .to_owned()
}

pub fn host_time(target: &str) -> String {
    format!("`{target}` of the machine is left out. Set the variable `TZ`.")
}

pub fn missing_bind(source: &str, target: &str) -> String {
    format!(
        "`{}` was not found beside the file, so nothing is mounted at `{target}`. Put it there, and export or deploy again.",
        clipped(source)
    )
}

pub fn outside_bind(source: &str, target: &str) -> String {
    format!(
        "`{}` is outside of the project's folder, so it is not read and nothing is mounted at `{target}`. Move it into the folder, or use a named volume for data.",
        clipped(source)
    )
}

pub fn large_file(source: &str) -> String {
    format!(
        "`{}` is larger than the 1 MiB that a ConfigMap or Secret holds, so it is not mounted. Put it into the image or onto a volume.",
        clipped(source)
    )
}

pub fn file_read_only(target: &str) -> String {
    format!("`{target}` is a copy that the container cannot write to. Use a named volume for what changes.")
}

pub fn bind_option(key: &str) -> String {
    format!("{key} is a setting of the machine's mounts and is left out.")
}

pub fn mount_mode(target: &str) -> String {
    format!("Kubernetes cannot set mode or owner of what is mounted at `{target}`; everybody in the container may write there.")
}

pub fn anonymous(target: &str, shadow: bool) -> String {
    match shadow {
        true => format!(
            "`{target}` is kept apart from a folder of the machine that is not mounted here, so it is left out: the image's own files are there."
        ),
        false => format!(
            "The volume at `{target}` has no name, so it is empty at each start of a pod. Give it a name to keep what is in it."
        ),
    }
}

pub fn volume_type(kind: &str) -> String {
    format!("Mounts of type `{}` are not taken over. Use a named volume.", clipped(kind))
}

pub fn image_mount() -> String {
    "Mounting an image takes Kubernetes 1.35, or the feature ImageVolume. Copy the files into your image if the cluster is older."
        .to_owned()
}

pub fn shared_claim(volume: &str, users: &[&str]) -> String {
    format!(
        "`{volume}` is used by {}, and most storage serves one node at a time: they may have to run on the same one. Use a storage class with ReadWriteMany if they must not.",
        listed(users)
    )
}

pub fn replicated_claim(volume: &str, replicas: u32) -> String {
    format!(
        "All {replicas} replicas write to `{volume}`, and most storage serves one node at a time: they may have to run on the same one. Use one replica, or a storage class with ReadWriteMany."
    )
}

pub fn external_volume(claim: &str) -> String {
    format!("The volume is made elsewhere, so the PersistentVolumeClaim `{claim}` has to exist before.")
}

pub fn volume_driver(volume: &str, driver: &str) -> String {
    format!(
        "`{volume}` uses the driver `{}`, which a cluster has not, so it gets storage of the default class. Choose a storage class.",
        clipped(driver)
    )
}

pub fn volume_options(volume: &str) -> String {
    format!(
        "The driver's options of `{volume}` mean nothing to a cluster, so it is given empty storage of the default class. Copy the data, or bind the claim to a volume in an overlay."
    )
}

pub fn external_object(kind: &str, name: &str, key: &str) -> String {
    format!("It is made elsewhere, so the {kind} `{name}` with the key `{key}` has to exist before.")
}

pub fn no_such(kind: &str, name: &str) -> String {
    format!("The file describes no {kind} `{}`, so it is left out. Describe it at the top level.", clipped(name))
}

pub fn no_value(source: &str) -> String {
    format!("Its value is not known ({source}), so it is empty. Fill it in before anything starts.")
}

pub fn object_labels() -> String {
    "Its labels are ones in Docker and are left out. Set labels of objects in an overlay.".to_owned()
}

pub fn object_driver(key: &str) -> String {
    format!("`{key}` is one of Swarm's and is left out: the value is taken as it is.")
}

pub fn file_owner(target: &str) -> String {
    format!(
        "Files of a Secret or ConfigMap belong to root, so the owner of `{target}` is left out; its group may read it where a group is written."
    )
}

pub fn target_inside(target: &str) -> String {
    format!(
        "`{}` cannot be mounted at: it is no absolute path, or one that pods need themselves. Choose another.",
        clipped(target)
    )
}

pub fn target_twice(target: &str) -> String {
    format!("`{target}` is mounted twice, so only the first is taken.")
}
