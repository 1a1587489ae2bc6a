//! What people are told of what the translation could not do as written.
//!
//! Invariant: one or two sentences each: what happened, what it means, what to do. No text holds the value of a variable or a
//! secret.

mod mounted;

pub use self::mounted::*;

pub fn unknown(key: &str) -> String {
    format!("`{key}` is not known to Gaggle, so it has no effect. Remove it, or set what it is for in an overlay.")
}

pub fn unknown_top(key: &str) -> String {
    format!(
        "The top-level `{key}` is not taken over, so what it describes is not deployed. Make it services, or deploy it by itself."
    )
}

pub fn renamed(name: &str, label: &str, referrers: &[&str]) -> String {
    let others = match referrers {
        [] => "Others reach it under that name.".to_owned(),
        all => format!("Change it where {} name it.", listed(all)),
    };
    format!("`{name}` is no name that a cluster can have, so it is called `{label}` there. {others}")
}

pub fn build_only(image: &str) -> String {
    format!(
        "It is built from a folder and names no image, so `{image}` is asked for. Build it, push it where the cluster can pull, and set `image`."
    )
}

pub fn build_args() -> String {
    "Nothing is built here: `image` is pulled as it is. Build and push it before.".to_owned()
}

pub fn no_image() -> String {
    "It has neither an image nor a build, so nothing can run. Set `image`.".to_owned()
}

pub fn provider(kind: &str) -> String {
    format!(
        "It is provided by `{kind}`, which is no container, so nothing is deployed for it. Deploy it by itself, and set its address in `environment`."
    )
}

pub fn variable_name(name: &str) -> String {
    format!("`{}` is no name that a cluster takes for a variable, so it is left out. Rename it.", clipped(name))
}

pub fn variable_unset(name: &str) -> String {
    format!("`{}` has no value, so it is not set. Give it one, in the file, its `.env`, or with `--set`.", clipped(name))
}

pub fn variable_nul(name: &str) -> String {
    format!("The value of `{}` holds a zero byte, so it is left out. Use text.", clipped(name))
}

pub fn sensitive_command(what: &str) -> String {
    format!("A credential stands in the command; it is taken from {what} of the Secret, so that no manifest shows it.")
}

pub fn sensitive_probe() -> String {
    "A credential stands in the check; it is run by `/bin/sh` from the Secret, so that no manifest shows it.".to_owned()
}

pub fn sensitive_file(file: &str) -> String {
    format!("`{file}` holds a credential, so it goes into a Secret and not into a ConfigMap.")
}

pub fn sensitive_metadata(key: &str) -> String {
    format!(
        "The value of `{key}` is a credential, which every reader of the objects would see, so it is left out. Use a variable or a secret."
    )
}

pub fn no_clear(what: &str) -> String {
    format!("Kubernetes cannot clear the image's own {what}, so it stays. Write the whole command that is to run.")
}

pub fn user_name(user: &str) -> String {
    format!(
        "Kubernetes takes numbers only, so `{}` is left out and the image's own user runs. Write its number, as `id` shows it.",
        clipped(user)
    )
}

pub fn group_name(group: &str) -> String {
    format!("Kubernetes takes numbers only, so the group `{}` is left out. Write its number.", clipped(group))
}

pub fn host_network() -> String {
    "Its pods use the node's network, as the file says: each node can run one, and many clusters refuse it. Remove it if the ports of a Service do."
        .to_owned()
}

pub fn network_of(other: &str) -> String {
    format!(
        "It shares the network of `{other}` in Compose, but gets pods of its own, so `localhost` does not reach it. Use names, or make it a second container in an overlay."
    )
}

pub fn network_none() -> String {
    "Pods always have a network, so it is not cut off; it only gets no name. Use a NetworkPolicy that allows nothing.".to_owned()
}

pub fn namespace_of(key: &str, value: &str) -> String {
    format!(
        "`{}` cannot be shared or changed between pods, so {key} is left out. Make them containers of one pod in an overlay.",
        clipped(value)
    )
}

pub fn isolation(one: &str, other: &str, more: usize) -> String {
    let rest = if more > 0 { format!(" (and {more} more pairs)") } else { String::new() };
    format!(
        "`{one}` and `{other}`{rest} share no network in the file, but in the cluster all pods reach each other. Add NetworkPolicies if they must not."
    )
}

pub fn internal_network(network: &str) -> String {
    format!(
        "`{network}` is internal in the file, but in the cluster its services reach the outside. Add a NetworkPolicy for egress."
    )
}

pub fn external_network(network: &str) -> String {
    format!(
        "`{network}` is made elsewhere, and what else is on it is not in the cluster. Use the full names of Services in other namespaces."
    )
}

pub fn network_driver(network: &str, driver: &str) -> String {
    format!(
        "`{network}` uses the driver `{}`, which a cluster's network has not, so it is left out. Pods share one network.",
        clipped(driver)
    )
}

pub fn network_setting(network: &str, key: &str) -> String {
    format!("`{key}` of `{network}` has no effect: the cluster gives addresses by itself. Use names in place of addresses.")
}

pub fn fixed_address(key: &str) -> String {
    format!("Pods cannot choose {key}, so it is left out. Use the service's name wherever the address stands.")
}

pub fn alias_invalid(alias: &str, name: &str) -> String {
    format!("`{}` is no name that a cluster can have, so it does not resolve. Use `{name}`.", clipped(alias))
}

pub fn one_network(key: &str) -> String {
    format!("A pod has one network, so `{key}` is left out.")
}

pub fn network_object(network: &str, key: &str) -> String {
    format!("Nothing in a cluster stands for `{network}`, so `{key}` is left out: pods reach each other without it.")
}

pub fn network_name(network: &str, name: &str) -> String {
    format!("Nothing in a cluster stands for `{network}`, so its name `{}` in Docker is left out.", clipped(name))
}

pub fn named_otherwise(kind: &str, label: &str) -> String {
    format!("Its name is one in Docker and is left out: the {kind} is called `{label}`.")
}

pub fn unused(kind: &str) -> String {
    format!("No service uses this {kind}, so nothing is made of it. Remove it, or name it where it is to be used.")
}

pub fn unfollowed(label: &str, timed: bool) -> String {
    let way = match timed {
        true => "Make it a CronJob in an overlay.",
        false => "Set what it is for in an overlay.",
    };
    format!("`{}` is a word to kompose that is not followed here as written, so it has no effect. {way}", clipped(label))
}

pub fn cpus_twice(key: &str) -> String {
    format!("`cpus` says how much it may use, so `{key}` has no effect. Keep one of them.")
}

pub fn attach() -> String {
    "Whose output a terminal shows is decided by who looks at it, so this is left out. `kubectl logs` shows it.".to_owned()
}

pub fn alias_taken(alias: &str, other: &str) -> String {
    format!("`{alias}` is also a name of `{other}`, which keeps it. Give each its own.")
}

pub fn link_alias(alias: &str) -> String {
    format!("`{alias}` is a name for this service alone in Compose, but in the cluster everybody finds it.")
}

pub fn not_published(ports: &[String]) -> String {
    format!(
        "{} published on the machine; in the cluster only other pods reach {1}. Use `--expose` to offer {1} outside.",
        were(ports),
        it(ports)
    )
}

pub fn loopback(ports: &[String]) -> String {
    format!(
        "{} bound to this machine alone, so the cluster does not offer {1} outside. Use port-forward to reach {1}.",
        were(ports),
        it(ports)
    )
}

pub fn host_address(address: &str) -> String {
    format!("The address `{}` is one of the machine, so it is left out: what is exposed is so everywhere.", clipped(address))
}

pub fn host_mode() -> String {
    "Ports of the node itself are not taken, so `mode: host` is left out. Use `--expose node-port`.".to_owned()
}

pub fn published_range(written: &str, used: u16) -> String {
    format!("`{}` leaves the choice to the machine; {used} is used.", clipped(written))
}

pub fn many_ports(count: usize) -> String {
    format!(
        "{count} ports are more than a Service should list, so it gets one without an address of its own: its name leads to the pods, on every port. They are not exposed outside."
    )
}

pub fn bad_port(written: &str) -> String {
    format!("`{}` is no port, so it is left out. Use a number from 1 to 65535, with `/tcp`, `/udp` or `/sctp`.", clipped(written))
}

pub fn ingress_ports() -> String {
    "An Ingress leads to one port and speaks HTTP, so the other published ports stay inside. Use `--expose load-balancer` for them.".to_owned()
}

pub fn check_without_test() -> String {
    "It changes how often the image's own check runs, which Kubernetes does not know, so nothing is checked. Write `test`."
        .to_owned()
}

pub fn check_form() -> String {
    "The test begins with none of CMD, CMD-SHELL and NONE, so nothing is checked. Write one of them.".to_owned()
}

pub fn health_path_without_port() -> String {
    "A path for health checks was given, but the service has no TCP port to ask, so nothing is checked. Write `ports` or `expose`.".to_owned()
}

pub fn job_replaces(word: &str) -> String {
    format!("A Job does not restart what has ended well, so `{}` means that it is tried again when it fails.", clipped(word))
}

pub fn restart_anyway(word: &str) -> String {
    format!(
        "Pods of a Deployment are always restarted, so `{}` has no effect. Write `restart: \"no\"` and no ports to have it run once.",
        clipped(word)
    )
}

pub fn restart_setting(key: &str) -> String {
    format!("When pods are restarted is the cluster's choice (after 10 s, 20 s … 5 min), so {key} is left out.")
}

pub fn restart_on_update(on: &str) -> String {
    format!("It is not restarted when `{on}` is. Restart it yourself, or let it connect again.")
}

pub fn global_scale() -> String {
    "A service with `mode: global` runs once on each node, so the number is left out.".to_owned()
}

pub fn job_scale() -> String {
    "A Job runs once, so the number is left out.".to_owned()
}

pub fn store_scale(word: &str) -> String {
    format!("`{}` is no way of running that Gaggle knows, so it runs as usual.", clipped(word))
}

pub fn placement(written: &str) -> String {
    format!(
        "`{}` means nothing to a cluster, so any node may run it. Set `nodeSelector` or `topologySpreadConstraints` in an overlay.",
        clipped(written)
    )
}

pub fn placement_label(label: &str) -> String {
    format!("Only nodes whose label `{label}` is as written run it, so nothing starts until some are: `kubectl label node`.")
}

pub fn update_setting(key: &str) -> String {
    format!(
        "{key} is decided elsewhere: an update that does not get ready stops by itself, and `/service rollback` takes it back."
    )
}

pub fn devices(what: &str) -> String {
    format!("{what} The cluster needs the device plugin for it.")
}

pub fn generic_resources() -> String {
    "Swarm's generic resources mean nothing to a cluster, so they are left out. Use `devices`, or labels of nodes in an overlay."
        .to_owned()
}

pub fn request_above_limit(what: &str) -> String {
    format!("More {what} is reserved than the limit allows, so the limit is reserved.")
}

pub fn security_option(option: &str) -> String {
    format!("`{}` is left out: it names something of the machine. Set the pod's security context in an overlay.", clipped(option))
}

pub fn privileges_clash() -> String {
    "`no-new-privileges` contradicts the container's privileges, which stay; it is left out.".to_owned()
}

pub fn bad_capability(name: &str) -> String {
    format!("`{}` is no capability, so it is left out.", clipped(name))
}

pub fn sysctl_host(name: &str) -> String {
    format!("`{name}` belongs to the node here, since the pod uses the node's own, so it is left out. Set it on the node.")
}

pub fn sysctl_unsafe(name: &str) -> String {
    format!(
        "`{name}` is one that nodes refuse unless their kubelet allows it (`allowedUnsafeSysctls`). Allow it there, or remove it."
    )
}

pub fn sysctl_name(name: &str) -> String {
    format!("`{}` is no setting of the kernel that a pod may have, so it is left out.", clipped(name))
}

pub fn host_gateway(host: &str) -> String {
    format!("`{host}` is the machine in Compose, and pods have none, so the name does not resolve. Use the name of a Service.")
}

pub fn bad_host(entry: &str) -> String {
    format!("`{}` is no host with an address, so it is left out.", clipped(entry))
}

pub fn hostname(written: &str, used: Option<&str>) -> String {
    match used {
        Some(used) => format!("Host names of pods are one label, so `{}` becomes `{used}`.", clipped(written)),
        None => format!("`{}` is no host name that a pod can have, so it is left out.", clipped(written)),
    }
}

pub fn domainname() -> String {
    "Pods have the cluster's domain, so this is left out. Set `subdomain` in an overlay if something needs it.".to_owned()
}

pub fn dns_servers() -> String {
    "The cluster's own name server comes first, so these are asked only when it fails. Set `dnsPolicy: None` in an overlay to use them alone.".to_owned()
}

pub fn dns_dropped() -> String {
    "A pod may have two more name servers, by address; the others are left out.".to_owned()
}

pub fn stop_signal(signal: &str, init: bool) -> String {
    match init {
        true => format!("With `init`, {signal} cannot be sent to the service itself, so it gets SIGTERM. Remove one of the two."),
        false => format!("Kubernetes sends SIGTERM, so {signal} is sent before by a hook, which needs `/bin/sh` in the image."),
    }
}

pub fn hook(key: &str) -> String {
    format!("Hooks run as the container's user, so {key} is left out. Use a container of its own for it.")
}

pub fn hook_variable(name: &str) -> String {
    format!(
        "`{}` is a credential, which every reader of the manifest would see, so the hook does not get it. Put it into the service's `environment`.",
        clipped(name)
    )
}

pub fn platform(written: &str) -> String {
    format!("`{}` is no platform that nodes have labels for, so any node may run it.", clipped(written))
}

pub fn pull_policy(written: &str) -> String {
    format!("Images are not looked for by age, so `{}` means that they are at each start.", clipped(written))
}

pub fn isolation_mode(written: &str) -> String {
    format!("`{}` is for Windows alone and is left out.", clipped(written))
}

pub fn storage_option(key: &str) -> String {
    format!("`{}` is a setting of Docker's storage and is left out.", clipped(key))
}

pub fn label_renamed(label: &str) -> String {
    format!(
        "`{}` is no name that a cluster takes for a label or annotation, so it is left out. Use letters, digits, `-`, `_` and `.`.",
        clipped(label)
    )
}

pub fn proxy_labels(prefix: &str) -> String {
    format!(
        "Labels of `{prefix}` are read from Docker by a proxy that does not see the cluster that way. Use `--expose ingress`, or routes of its own kind."
    )
}

pub fn wait_unknown(on: &str) -> String {
    format!("`{on}` is not among the services, so nothing waits for it. Deploy it before, or remove it.")
}

pub fn waits_in_a_ring(names: &[&str]) -> String {
    format!("{} wait for each other, so one is started before what it waits for.", listed(names))
}

pub fn mem_too_small() -> String {
    "It is less than the 6 MiB that a container needs, so it is left out.".to_owned()
}

pub fn listed(all: &[&str]) -> String {
    match all {
        [] => String::new(),
        [one] => format!("`{one}`"),
        [most @ .., last] => {
            let most: Vec<String> = most.iter().map(|name| format!("`{name}`")).collect();
            format!("{} and `{last}`", most.join(", "))
        }
    }
}

fn it(ports: &[String]) -> &'static str {
    if ports.len() == 1 { "it" } else { "them" }
}

fn were(ports: &[String]) -> String {
    match ports {
        [one] => format!("Port {one} was"),
        all => format!("Ports {} were", all.join(", ")),
    }
}

/// What somebody wrote, short enough for a line.
fn clipped(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(80).collect();
    if line.len() < text.len() && text.chars().count() > 80 { format!("{line}…") } else { line }
}
