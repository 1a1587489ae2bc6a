//! What becomes of each key of a service that the translation does not read: it means nothing in a cluster, for a reason, or it
//! cannot be had there, and people are told.
//!
//! Invariant: no key stands in both tables. A key in neither that nobody reads is told as unknown.

/// Deliberately without effect, and why.
pub const MEANINGLESS: &[(&str, &str)] = &[
    ("cpu_period", "read with `cpu_quota`; alone it limits nothing"),
    ("env_file", "read before: its variables are in `environment`"),
    ("extends", "read before: what it takes over is in the service"),
    ("label_file", "read before: its labels are in `labels`"),
    ("profiles", "read before: a service that is not chosen is not in the project"),
    ("name", "the service's own name"),
    ("cgroup", "`private` is what pods have; `host` is told"),
    ("uts", "only `host` can be written, and is told"),
    ("userns_mode", "`host` is what pods have"),
    ("isolation", "`default` is what pods have; others are told"),
];

/// What Kubernetes does not have, or Gaggle does not do: what it means, and the way out.
pub const CANNOT: &[(&str, &str)] = &[
    ("blkio_config", "Kubernetes has no limits of disk bandwidth, so none is set. Use nodes or a storage class that have them."),
    ("cgroup_parent", "The kubelet chooses a pod's cgroup, so this is left out. Use `deploy.resources` for limits."),
    ("cpu_percent", "It is for Windows alone and is left out. Use `cpus`."),
    (
        "cpu_rt_period",
        "Kubernetes has no real-time scheduling of containers, so this is left out. Use a node of your own with that setting.",
    ),
    (
        "cpu_rt_runtime",
        "Kubernetes has no real-time scheduling of containers, so this is left out. Use a node of your own with that setting.",
    ),
    (
        "cpuset",
        "Pods cannot choose their cores, so this is left out. Ask for whole cores with `cpus`, on nodes with the static CPU manager policy.",
    ),
    ("credential_spec", "It is for Windows alone and is left out. Set `windowsOptions` of the pod in an overlay."),
    (
        "develop",
        "It is what `docker compose watch` does on a developer's machine, so it has no effect. Build and push a new image instead.",
    ),
    ("device_cgroup_rules", "Kubernetes has no such rules, so the devices stay closed. Use a device plugin of the cluster."),
    (
        "devices",
        "Pods cannot open the machine's devices, so they are not there. Use a device plugin, or `privileged` with a hostPath in an overlay.",
    ),
    ("dockerfile", "Nothing is built here. Build and push the image, and name it in `image`."),
    (
        "external_links",
        "Containers outside of the project are not in the cluster, so these names do not resolve. Use the full name of their Service.",
    ),
    (
        "log_driver",
        "Where logs go is the cluster's choice, so this is left out. `kubectl logs` shows them; a log collector of the cluster ships them.",
    ),
    (
        "log_opt",
        "How logs are kept is the cluster's choice, so this is left out. `kubectl logs` shows them; the kubelet rotates them.",
    ),
    (
        "logging",
        "Where logs go and how they are rotated is the cluster's choice, so this is left out. `kubectl logs` shows them; a log collector of the cluster ships them.",
    ),
    ("mac_address", "Pods cannot choose their hardware address, so this is left out. Bind what depends on it to something else."),
    ("mem_swappiness", "Pods cannot set their swappiness, so this is left out. It is a setting of the node."),
    ("memswap_limit", "Pods cannot choose how much they swap, so this is left out. It is a setting of the node."),
    (
        "models",
        "There is no model runner in the cluster, so its variables are not set. Set the endpoint and the model's name under `environment`.",
    ),
    ("net", "It is an old form of `network_mode` and is left out. Write `network_mode`."),
    ("oom_kill_disable", "A container above its memory limit is always ended, so this is left out. Raise the limit."),
    (
        "oom_score_adj",
        "The kubelet sets this score by requests and limits, so it is left out. Make both the same to be ended last.",
    ),
    ("pids_limit", "The number of processes is limited by the node, so this is left out. It is the kubelet's `podPidsLimit`."),
    (
        "pre_start",
        "These steps are not taken over, so the service starts without them. Make them init containers in an overlay, or a service of their own that this one waits for with `service_completed_successfully`.",
    ),
    ("pull_refresh_after", "Images are not looked for by age, so this is left out. Use `pull_policy: always`, and restart."),
    (
        "runtime",
        "Which runtime runs pods is the cluster's choice, so this is left out. Set `runtimeClassName` in an overlay if the cluster has such a class.",
    ),
    ("ulimits", "Pods cannot set these limits, so the node's own hold. Raise them on the node, or in the image's entrypoint."),
    (
        "use_api_socket",
        "There is no Docker in the cluster, so its socket is not there. What uses it needs another way, such as the Kubernetes API.",
    ),
    ("volume_driver", "Storage is given by a storage class, so this is left out. Choose the class instead."),
];

pub fn cannot(key: &str) -> Option<&'static str> {
    CANNOT.iter().find(|(name, _)| *name == key).map(|(_, text)| *text)
}

pub fn is_meaningless(key: &str) -> bool {
    MEANINGLESS.iter().any(|(name, _)| *name == key)
}
