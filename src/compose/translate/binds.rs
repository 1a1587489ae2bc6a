//! Files and folders of the machine that a service is given: what holds settings is taken along, what holds data becomes a volume.
//!
//! Invariant: nothing of a folder outside of the project is taken along, and no volume hides a program that an image brings, as far as
//! the file tells.

use super::{Entry, Found, Made, One, names, texts};
use crate::model::workload::{Claim, Kept, Source, Workload};

/// Where programs keep their settings.
const SETTINGS: &[&str] = &["/etc/", "/usr/local/etc/", "/docker-entrypoint", "/usr/share/nginx/", "/opt/bitnami/"];
/// Where programs keep their data.
const DATA: &[&str] =
    &["/var/lib/", "/data/", "/bitnami/", "/var/opt/", "/var/mail/", "/var/backups/", "/backup/", "/backups/", "/config/"];
/// What is of the machine itself, and means nothing elsewhere.
const MACHINE: &[&str] = &[
    "/bin/",
    "/boot/",
    "/dev/",
    "/lib/",
    "/lib64/",
    "/proc/",
    "/run/",
    "/sbin/",
    "/sys/",
    "/tmp/",
    "/usr/",
    "/var/lib/containerd/",
    "/var/lib/docker/",
    "/var/lib/kubelet/",
    "/var/log/",
    "/var/run/",
];
/// Folders that hold all of a machine.
const WHOLE: &[&str] = &["/", "/etc/", "/home/", "/mnt/", "/opt/", "/root/", "/srv/", "/var/", "/var/lib/"];

impl One<'_> {
    pub fn bind(&self, workload: &mut Workload, made: &mut Made, source: &str, target: &str, read_only: bool) {
        if source.ends_with("docker.sock") || source.ends_with("podman.sock") || source.ends_with("containerd.sock") {
            return self.warn("volumes", texts::docker_socket());
        }
        if source == "/etc/localtime" || source == "/etc/timezone" {
            return self.warn("volumes", texts::host_time(target));
        }
        let shown = self.project.sources.shown(source);
        let found = self.project.sources.look(source);
        match found {
            Found::File { content, executable } => {
                if !read_only {
                    self.warn("volumes", texts::file_read_only(target));
                }
                self.bound_file(workload, made, source, target, content, executable);
            }
            Found::Large => self.warn("volumes", texts::large_file(shown)),
            Found::Folder => {
                let files = self.project.sources.folder(source);
                match files.as_deref().filter(|files| self.is_settings(source, target, files, read_only)) {
                    Some(files) => {
                        if !read_only {
                            self.warn("volumes", texts::file_read_only(target));
                        }
                        self.bound_folder(workload, made, source, target, files);
                    }
                    None if !read_only && self.is_data(workload, source, target, found, files.as_deref()) => {
                        self.volume_instead(workload, made, source, target);
                    }
                    None => self.warn("volumes", texts::folder_bind(shown, target)),
                }
            }
            Found::Missing | Found::Outside if !read_only && self.is_data(workload, source, target, found, None) => {
                self.volume_instead(workload, made, source, target);
            }
            Found::Missing => self.warn("volumes", texts::missing_bind(shown, target)),
            Found::Outside => self.warn("volumes", texts::outside_bind(shown, target)),
        }
    }

    /// Whether a folder that the service may write to is there for what it writes. Docker makes such a folder where there is none.
    fn is_data(&self, workload: &Workload, source: &str, target: &str, found: Found<'_>, files: Option<&[Entry<'_>]>) -> bool {
        let below = |places: &[&str], path: &str| {
            let path = format!("{}/", path.trim_end_matches('/'));
            places.iter().any(|place| path.starts_with(place))
        };
        // Each node has its own, which one volume for all is not.
        if workload.kept == Kept::DaemonSet || self.is_everywhere() {
            return false;
        }
        let place = below(DATA, target);
        let settings = below(SETTINGS, target);
        let known = place || workload.store && !settings;
        match found {
            Found::Folder => known || files.is_some_and(<[_]>::is_empty) && !self.is_built(source),
            _ if is_file(source) => false,
            Found::Missing => known || !(settings || self.fields.get("build").is_some()),
            // What an image runs once is nobody's data.
            _ if target.starts_with("/docker-entrypoint") => false,
            _ => {
                let whole = format!("{}/", source.trim_end_matches('/'));
                let machine = below(MACHINE, source) || WHOLE.contains(&whole.as_str());
                place || !machine && (known || self.fields.get("build").is_none())
            }
        }
    }

    fn is_everywhere(&self) -> bool {
        self.fields.get("deploy").and_then(|deploy| deploy.get("mode")).is_some_and(|mode| mode == "global")
    }

    /// A volume in the place of a folder. Services that are given the same folder share it; the first of them gives it its name.
    fn volume_instead(&self, workload: &mut Workload, made: &mut Made, source: &str, target: &str) {
        let is_it = |value: &&serde_json::Value| {
            let text = |key| value.get(key).and_then(serde_json::Value::as_str);
            text("type") == Some("bind") && text("source").is_some_and(|other| same(other, source))
        };
        let all = self.project.services.into_iter().flatten();
        let first = all.filter_map(|(name, service)| {
            let used = service.get("volumes")?.as_array()?.iter().find(is_it)?;
            Some((self.project.name_of(name), used.get("target")?.as_str()?))
        });
        let (label, at) = first.into_iter().next().unwrap_or_else(|| (self.label.clone(), target));
        let shown = self.project.sources.shown(source).trim_end_matches('/');
        // Told from the names of volumes.
        let volume = if shown.starts_with('/') { shown.to_owned() } else { format!("./{shown}") };
        let mut claim = names::label(&format!("{label}-{at}"));
        if self.project.volume_names.has_label(&claim) || made.claims.get(&claim).is_some_and(|known| known.volume != volume) {
            claim = names::hashed(&format!("{claim}.{volume}"), names::LABEL);
        }
        self.warn("volumes", texts::volume_instead(shown, target, &claim));
        let known = made.claims.entry(claim.clone());
        let known = known.or_insert_with(|| Claim { name: claim.clone(), volume, ..Claim::default() });
        known.size = known.size.or_else(|| self.labelled_size());
        known.users.insert(self.name.to_owned());
        self.mount(workload, "volumes", target, false, Source::Claim { claim, path: None });
    }

    fn is_built(&self, source: &str) -> bool {
        let context = self.fields.fields("build").text("context").map(|context| context.trim_end_matches('/'));
        context.is_some_and(|context| source == context || source.starts_with(&format!("{context}/")))
    }

    /// Whether a folder of the project holds settings that a container reads, and neither its data nor its program: it may not
    /// write there, or it is where settings are, or that is all there is.
    fn is_settings(&self, source: &str, target: &str, files: &[Entry<'_>], read_only: bool) -> bool {
        let endings = [
            "conf",
            "cfg",
            "cnf",
            "config",
            "ini",
            "toml",
            "yaml",
            "yml",
            "json",
            "xml",
            "properties",
            "env",
            "sql",
            "sh",
            "tmpl",
            "template",
            "crt",
            "pem",
            "cert",
            "rules",
            "lua",
            "vcl",
            "acl",
            "hcl",
        ];
        let is_setting = |file: &Entry<'_>| file.path.rsplit_once('.').is_some_and(|(_, end)| endings.contains(&end));
        let fits = !files.is_empty() && files.iter().map(|file| file.content.len()).sum::<usize>() <= super::files::MOST;
        fits && (read_only
            || SETTINGS.iter().any(|place| target.starts_with(place))
            || (!self.is_built(source) && files.iter().all(is_setting)))
    }
}

fn same(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// Whether this would be a file: `.env` is none, `a.conf` is.
fn is_file(source: &str) -> bool {
    let name = source.rsplit('/').next().unwrap_or("");
    name.trim_start_matches('.').contains('.') && !name.ends_with(".d")
}
