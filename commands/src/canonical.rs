//! A command back into text and options: for confirmations, the audit log, and surfaces that talk to each other.
//!
//! Invariant: parsing what this writes gives the command again, but for `summary`, which leaves free text out.

use crate::{
    ApprovalCommand, ClusterAbout, ClusterCommand, Command, InfraCommand, LogLines, OptionValue, PlainVar, ProjectCommand,
    ProjectSecretCommand, ProjectSettings, SecretCommand, SecretKey, ServiceChanges, ServiceCommand, SessionCommand, Site,
    sensitive, sensitive_value, tree, words,
};

/// The arguments of a command by clap's ids.
type Arguments = Vec<(&'static str, String)>;

impl Command {
    /// The whole command as somebody could have typed it. May hold personal text: see `summary`.
    pub fn to_text(&self) -> String {
        self.render(|_, value| Some(value.to_owned()))
    }

    /// The command for the audit log: names, ids and flags; no message, title, reason, code or variable's value.
    pub fn summary(&self) -> String {
        self.render(|id, value| match id {
            "message" | "title" | "reason" | "code" => None,
            // Help may be asked for with more after the command's words than belongs there.
            "command" if !tree::is_word(value) => None,
            "env" | "set" => value.split_once('=').map(|(name, _)| format!("{name}=…")),
            "argv" => Some(argument(value)),
            // What follows may be a token.
            "url" | "repo" => {
                Some(value.split_once(['?', '#']).map_or_else(|| value.to_owned(), |(before, _)| format!("{before}?…")))
            }
            _ => Some(value.to_owned()),
        })
    }

    /// The arguments as `parse_options` takes them.
    pub fn to_options(&self) -> Vec<OptionValue> {
        let command = tree::find(self.path()).unwrap_or(tree::grammar());
        let mut options: Vec<OptionValue> = Vec::new();
        for (id, value) in arguments(self) {
            let Some(arg) = command.get_arguments().find(|arg| arg.get_id() == id) else {
                continue;
            };
            let name = tree::option_name(arg);
            match options.iter_mut().find(|option| option.name == name) {
                Some(option) => {
                    option.value.push(' ');
                    option.value.push_str(&words::quote_item(&value));
                }
                // A list's single value is split again.
                None if tree::is_list(arg) => options.push(OptionValue::new(name, words::quote_item(&value))),
                None => options.push(OptionValue::new(name, value)),
            }
        }
        options
    }

    fn render(&self, show: impl Fn(&str, &str) -> Option<String>) -> String {
        let path = self.path();
        let command = tree::find(path).unwrap_or(tree::grammar());
        let mut text = format!("/{path}");
        let (mut tail, mut last) = (String::new(), String::new());
        let mut protect = false;
        for (id, value) in arguments(self) {
            let Some(arg) = command.get_arguments().find(|arg| arg.get_id() == id) else {
                continue;
            };
            let usual = arg.get_default_values().iter().any(|default| *default == value.as_str());
            if usual && !tree::is_switch(arg) {
                continue;
            }
            let Some(shown) = show(id, &value) else {
                continue;
            };
            match (id, arg.get_long()) {
                (_, Some(long)) if tree::is_switch(arg) => text.push_str(&format!(" --{long}")),
                // Taken as it stands up to the end, so that it comes last.
                ("reason", _) => tail.push_str(&format!(" --reason {}", words::enclose(&shown))),
                (_, Some(long)) if shown.starts_with('-') => text.push_str(&format!(" --{long}={}", words::quote(&shown))),
                (_, Some(long)) => text.push_str(&format!(" --{long} {}", words::quote(&shown))),
                // Ends at white space, which it cannot have; quotes would be taken for a part of it.
                ("name", None) if path == "ask" => tail.push_str(&format!(" {shown}")),
                ("message", None) => tail.push_str(&format!(" {shown}")),
                ("title", None) => tail.push_str(&format!(" {}", words::enclose(&shown))),
                (_, None) if arg.is_last_set() => last.push_str(&format!(" {}", words::quote(&shown))),
                (_, None) => {
                    protect |= shown.starts_with('-');
                    tail.push_str(&format!(" {}", words::quote(&shown)));
                }
            }
        }
        let gap = if protect { " --" } else { "" };
        let end = if last.is_empty() { "" } else { " --" };
        format!("{text}{gap}{tail}{end}{last}")
    }
}

/// A word of a command that was run, for the audit log: a secret has no business there, and nobody reads long ones.
fn argument(word: &str) -> String {
    let variable = word.trim_start_matches('-').split_once('=');
    match variable {
        Some((name, value)) if sensitive(name, value) => format!("{}=…", &word[..word.len() - value.len() - 1]),
        None if sensitive_value(word) => "…".to_owned(),
        _ => match word.char_indices().nth(100) {
            Some((end, _)) => format!("{}…", &word[..end]),
            None => word.to_owned(),
        },
    }
}

fn one(id: &'static str, value: impl ToString) -> Arguments {
    vec![(id, value.to_string())]
}

fn maybe(id: &'static str, value: Option<impl ToString>) -> Arguments {
    value.map(|value| (id, value.to_string())).into_iter().collect()
}

fn switch(id: &'static str, on: bool) -> Arguments {
    maybe(id, on.then_some("true"))
}

fn session(number: Option<u64>) -> Arguments {
    maybe("session", number.map(|number| format!("s{number}")))
}

fn settings(settings: &ProjectSettings) -> Arguments {
    let ProjectSettings { repo, cpu, memory, env, image, disk, port, expose } = settings;
    let variables = env.iter().map(|variable| ("env", variable.to_string())).collect();
    [
        maybe("repo", repo.as_ref()),
        maybe("cpu", cpu.as_ref()),
        maybe("memory", memory.as_ref()),
        variables,
        maybe("image", image.as_ref()),
        maybe("disk", disk.as_ref()),
        maybe("port", *port),
        maybe("expose", *expose),
    ]
    .concat()
}

fn arguments(command: &Command) -> Arguments {
    match command {
        Command::Project(command) => project(command),
        Command::Ask(ask) => [one("name", &ask.name), one("message", &ask.message)].concat(),
        Command::Session(command) => match command {
            SessionCommand::List { name } => one("name", name),
            SessionCommand::Show { session: number } | SessionCommand::Export { session: number } => session(*number),
            SessionCommand::Stop { session: number, turn } | SessionCommand::Retry { session: number, turn } => {
                [session(*number), maybe("turn", turn.map(|turn| format!("t{turn}")))].concat()
            }
            SessionCommand::Delete { session: number, yes } => [session(*number), switch("yes", *yes)].concat(),
            SessionCommand::Rename { title, session: number } => [one("title", title), session(*number)].concat(),
        },
        Command::Secret(command) => match command {
            SecretCommand::Set { key } | SecretCommand::Unset { key } => one("key", &key.0),
            SecretCommand::List => Vec::new(),
        },
        Command::Cluster(command) => cluster(command),
        Command::Infra(InfraCommand::Scan { site: at, all_namespaces, refresh }) => {
            [site(at), switch("all_namespaces", *all_namespaces), switch("refresh", *refresh)].concat()
        }
        Command::Service(command) => service(command),
        Command::Approve(approve) => {
            [maybe("id", approve.id.map(|id| format!("a{id}"))), switch("always", approve.always)].concat()
        }
        Command::Deny(deny) => [maybe("id", deny.id.map(|id| format!("a{id}"))), maybe("reason", deny.reason.as_ref())].concat(),
        Command::Approval(ApprovalCommand::List) | Command::Whoami | Command::Status => Vec::new(),
        Command::Link(link) => maybe("code", link.code.as_ref()),
        Command::Unlink(unlink) => maybe("identity", unlink.identity.as_ref()),
        Command::Thread(thread) => maybe("number", thread.number),
        Command::Audit(audit) => [one("tail", audit.tail), maybe("user", audit.user.as_ref())].concat(),
        Command::Help(help) => help.command.iter().map(|word| ("command", word.clone())).collect(),
    }
}

fn project(command: &ProjectCommand) -> Arguments {
    match command {
        ProjectCommand::Create { name, cluster, settings: set } => {
            [one("name", name), settings(set), maybe("cluster", cluster.as_ref())].concat()
        }
        ProjectCommand::List { all } => switch("all", *all),
        ProjectCommand::Show { name }
        | ProjectCommand::Status { name }
        | ProjectCommand::Activate { name }
        | ProjectCommand::Deactivate { name }
        | ProjectCommand::Restart { name }
        | ProjectCommand::Use { name } => one("name", name),
        ProjectCommand::Unuse => Vec::new(),
        ProjectCommand::Rename { name, new_name } => [one("name", name), one("new_name", new_name)].concat(),
        ProjectCommand::Update { name, settings: set, model, provider, mode } => [
            one("name", name),
            settings(set),
            maybe("model", model.as_ref()),
            maybe("provider", provider.as_ref()),
            maybe("mode", mode.as_ref()),
        ]
        .concat(),
        ProjectCommand::Share { name, user, role } => [one("name", name), one("user", user), one("role", role)].concat(),
        ProjectCommand::Unshare { name, user } => [one("name", name), one("user", user)].concat(),
        ProjectCommand::Delete { name, keep_files, yes } => {
            [one("name", name), switch("keep_files", *keep_files), switch("yes", *yes)].concat()
        }
        ProjectCommand::Logs { name, lines } => [one("name", name), log_lines(lines)].concat(),
        ProjectCommand::Exec { name, timeout, argv } => {
            let argv = argv.iter().map(|word| ("argv", word.clone())).collect();
            [one("name", name), one("timeout", timeout), argv].concat()
        }
        ProjectCommand::Secret(command) => match command {
            ProjectSecretCommand::Set { name, key } | ProjectSecretCommand::Unset { name, key } => {
                [one("name", name), one("key", &key.0)].concat()
            }
            ProjectSecretCommand::List { name } => one("name", name),
        },
    }
}

fn log_lines(lines: &LogLines) -> Arguments {
    let LogLines { tail, since, previous, follow } = lines;
    [one("tail", tail), maybe("since", *since), switch("previous", *previous), switch("follow", *follow)].concat()
}

fn site(site: &Site) -> Arguments {
    let Site { cluster, namespace } = site;
    [maybe("cluster", cluster.as_ref()), maybe("namespace", namespace.as_ref())].concat()
}

fn about(about: &ClusterAbout) -> Arguments {
    let ClusterAbout { provider, tags, namespace } = about;
    let tags = tags.iter().map(|tag| ("tags", tag.clone())).collect();
    [maybe("provider", provider.as_ref()), tags, maybe("namespace", namespace.as_ref())].concat()
}

fn cluster(command: &ClusterCommand) -> Arguments {
    match command {
        ClusterCommand::Add { new_cluster, context, about: said, insecure_skip_tls_verify } => [
            one("new_cluster", new_cluster),
            maybe("context", context.as_ref()),
            about(said),
            switch("insecure_skip_tls_verify", *insecure_skip_tls_verify),
        ]
        .concat(),
        ClusterCommand::List => Vec::new(),
        ClusterCommand::Show { cluster } | ClusterCommand::Check { cluster } | ClusterCommand::Namespaces { cluster } => {
            maybe("cluster", cluster.as_ref())
        }
        ClusterCommand::Update { cluster, about: said, credentials, context, insecure_skip_tls_verify } => [
            one("cluster", cluster),
            about(said),
            switch("credentials", *credentials),
            maybe("context", context.as_ref()),
            switch("insecure_skip_tls_verify", *insecure_skip_tls_verify),
        ]
        .concat(),
        ClusterCommand::Tag { cluster, tags } => {
            let tags = tags.iter().map(|tag| ("tags", tag.clone())).collect();
            [one("cluster", cluster), tags].concat()
        }
        ClusterCommand::Rename { cluster, new_cluster } => [one("cluster", cluster), one("new_cluster", new_cluster)].concat(),
        ClusterCommand::Remove { cluster, yes } => [one("cluster", cluster), switch("yes", *yes)].concat(),
        ClusterCommand::Default { cluster, namespace } => {
            [one("cluster", cluster), maybe("namespace", namespace.as_ref())].concat()
        }
    }
}

fn variables(set: &[PlainVar]) -> Arguments {
    set.iter().map(|variable| ("set", variable.to_string())).collect()
}

fn keys(id: &'static str, keys: &[SecretKey]) -> Arguments {
    keys.iter().map(|key| (id, key.0.clone())).collect()
}

fn changes(changes: &ServiceChanges) -> Arguments {
    let ServiceChanges { set, replicas, health_path, expose, secret, plain } = changes;
    [
        variables(set),
        maybe("replicas", *replicas),
        maybe("health_path", health_path.as_ref()),
        maybe("expose", *expose),
        keys("secret", secret),
        keys("plain", plain),
    ]
    .concat()
}

fn service(command: &ServiceCommand) -> Arguments {
    match command {
        ServiceCommand::Add { new_file, url } => [one("new_file", new_file), maybe("url", url.as_ref())].concat(),
        ServiceCommand::Catalogue { infra } => switch("infra", *infra),
        ServiceCommand::Show { service } => one("service", service),
        ServiceCommand::Deploy { service, new_release, changes: set, with_dependencies, infra, dry_run, yes, site: at } => [
            one("service", service),
            maybe("new_release", new_release.as_ref()),
            changes(set),
            switch("with_dependencies", *with_dependencies),
            switch("infra", *infra),
            switch("dry_run", *dry_run),
            switch("yes", *yes),
            site(at),
        ]
        .concat(),
        ServiceCommand::Env { release, set, unset, secret, plain, site: at } => [
            one("release", release),
            variables(set),
            keys("unset", unset),
            keys("secret", secret),
            keys("plain", plain),
            site(at),
        ]
        .concat(),
        ServiceCommand::List { site: at } => site(at),
        ServiceCommand::Status { release, site: at } | ServiceCommand::Export { release, site: at } => {
            [one("release", release), site(at)].concat()
        }
        ServiceCommand::Logs { release, workload, lines, site: at } => {
            [one("release", release), maybe("workload", workload.as_ref()), log_lines(lines), site(at)].concat()
        }
        ServiceCommand::Restart { release, workload, site: at } => {
            [one("release", release), maybe("workload", workload.as_ref()), site(at)].concat()
        }
        ServiceCommand::Scale { release, replicas, workload, site: at } => {
            [one("release", release), one("replicas", replicas), maybe("workload", workload.as_ref()), site(at)].concat()
        }
        ServiceCommand::Exec { release, workload, timeout, site: at, argv } => [
            one("release", release),
            maybe("workload", workload.as_ref()),
            one("timeout", timeout),
            site(at),
            argv.iter().map(|word| ("argv", word.clone())).collect(),
        ]
        .concat(),
        ServiceCommand::PortForward { release, port, workload, timeout, site: at } => [
            one("release", release),
            maybe("port", *port),
            maybe("workload", workload.as_ref()),
            one("timeout", timeout),
            site(at),
        ]
        .concat(),
        ServiceCommand::Update { release, changes: set, dry_run, yes, site: at } => {
            [one("release", release), changes(set), switch("dry_run", *dry_run), switch("yes", *yes), site(at)].concat()
        }
        ServiceCommand::Rollback { release, to, yes, site: at } => {
            [one("release", release), maybe("to", *to), switch("yes", *yes), site(at)].concat()
        }
        ServiceCommand::Delete { release, keep_data, yes, site: at } => {
            [one("release", release), switch("keep_data", *keep_data), switch("yes", *yes), site(at)].concat()
        }
        ServiceCommand::Manifests { release, revision, site: at } => {
            [one("release", release), maybe("revision", *revision), site(at)].concat()
        }
    }
}
