//! What a service has mounted: volumes, memory, files and folders of the machine.
//!
//! Invariant: each place is mounted once, and only what is there: a folder of the machine leaves the image's own in place.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::fields::{Fields, bytes, holds, size};
use super::{Made, One, Project, texts};
use crate::compose::sensitive::is_credential;
use crate::model::workload::{Claim, Mount, Source, Workload};

impl One<'_> {
    pub fn mounts(&self, workload: &mut Workload, made: &mut Made) {
        self.files(workload, made);
        let own = self.fields.list("volumes");
        let bound = folders(own);
        for value in own {
            self.volume(workload, made, value, &bound, false);
        }
        for from in self.fields.texts("volumes_from") {
            let (of, mode) = from.split_once(':').unwrap_or((from, ""));
            match self.project.service(of).filter(|_| of != "container") {
                Some(other) => {
                    let all = other.get("volumes").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                    let bound = folders(all);
                    for value in all.iter().filter(|value| value.get("source").is_some_and(holds)) {
                        self.volume(workload, made, value, &bound, mode == "ro");
                    }
                }
                None => self.warn("volumes_from", texts::no_such("service", from)),
            }
        }
        for line in self.fields.texts("tmpfs") {
            let (target, options) = line.split_once(':').unwrap_or((line, ""));
            let mut memory = None;
            for option in options.split(',').filter(|option| !option.is_empty()) {
                match option.split_once('=') {
                    Some(("size", text)) => memory = size(text),
                    Some(("mode", "777" | "0777" | "1777")) | None => {}
                    Some(_) => self.warn("tmpfs", texts::mount_mode(target)),
                }
            }
            self.mount(workload, "tmpfs", target, false, Source::Memory { bytes: memory });
        }
        let has_its_own = self.mounted.borrow().contains("/dev/shm");
        if let Some(bytes) = self.fields.get("shm_size").and_then(bytes).filter(|_| !has_its_own) {
            self.mount(workload, "shm_size", "/dev/shm", false, Source::Memory { bytes: Some(bytes) });
        }
        self.volume_group(workload);
    }

    pub fn mount(&self, workload: &mut Workload, key: &str, target: &str, read_only: bool, from: Source) {
        let at = match target.trim_end_matches('/') {
            at if at.starts_with('/') && !at.contains([':', '\0']) && !at.split('/').any(|part| part == "..") => at,
            _ => return self.warn(key, texts::target_inside(target)),
        };
        if !self.mounted.borrow_mut().insert(at.to_owned()) {
            return self.warn(key, texts::target_twice(at));
        }
        workload.mounts.push(Mount { at: at.to_owned(), read_only, from });
    }

    fn volume(&self, workload: &mut Workload, made: &mut Made, value: &Value, bound: &BTreeSet<&str>, read_only: bool) {
        let fields = Fields::of(Some(value));
        let (source, target) = (fields.text("source").unwrap_or(""), fields.text("target").unwrap_or(""));
        let read_only = fields.flag("read_only") || read_only;
        let kind = fields.text("type").unwrap_or("volume");
        fields.get("consistency");
        let path = |key| {
            let options = fields.fields(key);
            // A new volume of a cluster is empty.
            options.skip(&["nocopy"]);
            if options.get("labels").is_some_and(holds) {
                self.warn(&format!("volumes.{key}"), texts::bind_option("`labels`"));
            }
            let path = options.text("subpath").map(str::to_owned);
            self.unread(&options);
            path
        };
        match kind {
            "volume" | "cluster" if source.is_empty() => self.anonymous(workload, target, bound),
            "volume" | "cluster" => {
                let from = self.named(made, source, path("volume"));
                self.mount(workload, "volumes", target, read_only, from);
            }
            "tmpfs" => {
                let options = fields.fields("tmpfs");
                if options.get("mode").is_some_and(|mode| holds(mode) && mode != 0o1777 && mode != 0o777) {
                    self.warn("volumes.tmpfs", texts::mount_mode(target));
                }
                let bytes = options.get("size").and_then(bytes).filter(|bytes| *bytes > 0);
                self.unread(&options);
                self.mount(workload, "volumes", target, read_only, Source::Memory { bytes });
            }
            "image" => {
                self.warn("volumes.image", texts::image_mount());
                let from = Source::Image { reference: source.to_owned(), path: path("image") };
                self.mount(workload, "volumes", target, true, from);
            }
            "bind" => {
                let options = fields.fields("bind");
                options.skip(&["create_host_path"]);
                for key in ["selinux", "recursive"] {
                    if let Some(value) = options.text(key) {
                        self.warn("volumes.bind", texts::bind_option(&format!("`{key}: {value}`")));
                    }
                }
                if let Some(propagation) = options.text("propagation").filter(|p| !p.ends_with("private")) {
                    self.warn("volumes.bind", texts::bind_option(&format!("`propagation: {propagation}`")));
                }
                self.unread(&options);
                self.bind(workload, made, source, target, read_only);
            }
            other => self.warn("volumes", texts::volume_type(other)),
        }
        fields.skip(&["volume", "tmpfs", "image", "bind"]);
        self.unread(&fields);
    }

    fn unread(&self, fields: &Fields<'_>) {
        for key in fields.rest() {
            self.warn(&format!("volumes.{key}"), texts::unknown(key));
        }
    }

    fn anonymous(&self, workload: &mut Workload, target: &str, bound: &BTreeSet<&str>) {
        let shadow = target.match_indices('/').any(|(end, _)| bound.contains(&target[..end]));
        self.warn("volumes", texts::anonymous(target, shadow));
        if !shadow {
            self.mount(workload, "volumes", target, false, Source::Scratch);
        }
    }

    /// A volume of the project, as a claim or as what its driver's options say.
    fn named(&self, made: &mut Made, volume: &str, path: Option<String>) -> Source {
        let fields = Fields::of(self.project.volumes.and_then(|all| all.get(volume)));
        let options = fields.fields("driver_opts");
        let text = |key: &'static str| options.get(key).map(super::fields::shown).unwrap_or_default();
        let (kind, device, flags) = (text("type"), text("device"), text("o"));
        let flag =
            |name: &str| flags.split(',').filter_map(|flag| flag.split_once('=')).find(|(key, _)| *key == name).map(|(_, v)| v);
        if kind.starts_with("nfs")
            && let Some(server) = flag("addr")
        {
            let exported = device.split_once(':').map_or(device.as_str(), |(_, path)| path);
            let whole = match &path {
                Some(path) => format!("{}/{}", exported.trim_end_matches('/'), path.trim_start_matches('/')),
                None => exported.to_owned(),
            };
            return Source::Nfs { server: server.to_owned(), path: whole };
        }
        if kind == "tmpfs" {
            return Source::Memory { bytes: flag("size").and_then(size) };
        }
        let external = fields.get("external").is_some_and(holds);
        // What is made elsewhere goes by the name it has there.
        let label = match external {
            true => super::names::elsewhere(fields.text("name").unwrap_or(volume)),
            false => self.project.volume_names.get(volume),
        };
        if external {
            self.warn("volumes", texts::external_volume(&label));
            return Source::Claim { claim: label, path };
        }
        let claim = made.claims.entry(label.clone()).or_insert_with(|| {
            let at = format!("volumes.{volume}");
            if let Some(driver) = fields.text("driver").filter(|driver| *driver != "local") {
                self.project.warn(None, &at, texts::volume_driver(volume, driver));
            }
            let labelled = super::kompose::volume_size(fields.map("labels"));
            let asked = labelled.or_else(|| flag("size").and_then(size).or_else(|| size(&text("size"))));
            let known = |key: &&str| matches!(*key, "size") || *key == "o" && flags.split(',').all(|f| f.starts_with("size="));
            if !fields.map("driver_opts").all(|(key, _)| known(&key)) {
                self.project.warn(None, &at, texts::volume_options(volume));
            }
            let notes = fields.map("labels").map(|(key, value)| (key.to_owned(), super::fields::shown(value)));
            let notes = notes.filter(|(key, _)| key != "kompose.volume.size");
            let notes = notes.filter(|(key, value)| super::names::is_label_key(key) && !is_credential(value)).collect();
            if fields.text("name").is_some_and(|name| !self.project.is_usual(name, volume)) {
                self.project.warn(None, &at, texts::named_otherwise("claim", &label));
            }
            for key in fields.rest() {
                self.project.warn(None, &at, texts::unknown(key));
            }
            Claim { name: label.clone(), volume: volume.to_owned(), size: asked, notes, users: BTreeSet::new() }
        });
        claim.size = claim.size.or_else(|| self.labelled_size());
        claim.users.insert(self.name.to_owned());
        Source::Claim { claim: label, path }
    }

    /// Whoever runs as somebody else than root could not write to a new volume, nor read a secret of a mode that others may not.
    fn volume_group(&self, workload: &mut Workload) {
        let security = &mut workload.security;
        if security.volume_group.is_some() {
            return;
        }
        let writes = |mount: &Mount| matches!(mount.from, Source::Claim { .. }) && !mount.read_only;
        let closed = |mount: &Mount| matches!(mount.from, Source::File { mode, .. } if mode & 0o004 == 0);
        if workload.mounts.iter().any(|mount| writes(mount) || closed(mount)) {
            security.volume_group = security.group.or(security.user).filter(|group| *group > 0);
        }
    }
}

impl Project<'_> {
    /// Tells of claims that several pods use.
    pub fn sharing(&self, made: &mut Made, workloads: &[Workload]) {
        let mut copied: BTreeMap<&str, Vec<&Workload>> = BTreeMap::new();
        for workload in workloads.iter().filter(|workload| workload.replicas > 1) {
            let claims = workload.mounts.iter().filter_map(|mount| match &mount.from {
                Source::Claim { claim, .. } => Some(claim.as_str()),
                _ => None,
            });
            claims.collect::<BTreeSet<_>>().into_iter().for_each(|claim| copied.entry(claim).or_default().push(workload));
        }
        for claim in made.claims.values() {
            let at = if claim.volume.contains('/') { "volumes".to_owned() } else { format!("volumes.{}", claim.volume) };
            let users: Vec<&str> = claim.users.iter().map(String::as_str).collect();
            if users.len() > 1 {
                self.warn(None, &at, texts::shared_claim(&claim.volume, &users));
            }
            for workload in copied.get(claim.name.as_str()).into_iter().flatten() {
                self.warn(Some(&workload.service), "volumes", texts::replicated_claim(&claim.volume, workload.replicas));
            }
        }
    }
}

/// Where folders and files of the machine are mounted, without a slash at the end.
fn folders(volumes: &[Value]) -> BTreeSet<&str> {
    let bound = volumes.iter().filter(|value| value.get("type").and_then(Value::as_str) == Some("bind"));
    bound.filter_map(|value| value.get("target")?.as_str()).map(|target| target.trim_end_matches('/')).collect()
}
