//! The keys of everything that runs a container: services, jobs, and what runs before a service. Not those that only services have.

use super::{
    COMMAND, DRIVER_OPTIONS, FILE, FILES, FLAG, FLAG_OR_TEXT, Field, Form, GPUS, HOSTS, INT, INT_OR_TEXT, Key, LIMITS,
    LIST_OR_MAP, NULL, NUMBER, NUMBER_OR_TEXT, SIZE, SIZE_INT, SPAN, Shape, Shown, T, TEXT, TEXT_OR_TEXTS, TEXT_SET, TEXTS,
    closed, field, shape,
};

pub static CONTAINER: &[Field] = &[
    field("annotations", LIST_OR_MAP, Shown::Mapping),
    field("blkio_config", Form::Table(&BLKIO), Shown::Table(&BLKIO)),
    field("cap_add", TEXT_SET, Shown::Texts),
    field("cap_drop", TEXT_SET, Shown::Texts),
    field("cgroup", Form::Choice(&["host", "private"]), Shown::Text),
    field("cgroup_parent", T, Shown::Text),
    field("command", COMMAND, Shown::Command),
    field("configs", FILES, Shown::Tables(&FILE)),
    field("cpu_count", Form::TextOrInt(0, i64::MAX), Shown::Int),
    field("cpu_percent", Form::TextOrInt(0, 100), Shown::Real),
    field("cpu_period", NUMBER_OR_TEXT, Shown::Int),
    field("cpu_quota", NUMBER_OR_TEXT, Shown::Int),
    field("cpu_rt_period", NUMBER_OR_TEXT, Shown::Int),
    field("cpu_rt_runtime", NUMBER_OR_TEXT, Shown::Int),
    field("cpu_shares", NUMBER_OR_TEXT, Shown::Int),
    field("cpus", NUMBER_OR_TEXT, Shown::Real),
    field("cpuset", T, Shown::Text),
    field("credential_spec", Form::Table(&CREDENTIAL_SPEC), Shown::Table(&CREDENTIAL_SPEC)),
    field("device_cgroup_rules", TEXT_SET, Shown::Texts),
    field("devices", Form::List(&Form::Either(&[T, Form::Table(&DEVICE)])), Shown::Tables(&DEVICE)),
    field("dns", TEXT_OR_TEXTS, Shown::TextOrTexts),
    field("dns_opt", TEXT_SET, Shown::Texts),
    field("dns_search", TEXT_OR_TEXTS, Shown::TextOrTexts),
    field("domainname", T, Shown::Text),
    field("entrypoint", COMMAND, Shown::Command),
    field("env_file", ENV_FILES, Shown::Tables(&ENV_FILE)),
    field("environment", LIST_OR_MAP, Shown::Variables),
    field("extra_hosts", HOSTS, Shown::Hosts),
    field("gpus", Form::Either(&[Form::Choice(&["all"]), Form::List(&Form::Table(&GPUS))]), Shown::Tables(&GPUS)),
    field("group_add", Form::Set(&Form::Of(TEXT | NUMBER)), Shown::Texts),
    field("hostname", T, Shown::Text),
    field("image", T, Shown::Text),
    field("init", FLAG_OR_TEXT, Shown::MaybeFlag),
    field("ipc", T, Shown::Text),
    field("isolation", T, Shown::Text),
    field("label_file", Form::Either(&[T, TEXTS]), Shown::Texts),
    field("labels", LIST_OR_MAP, Shown::Labels),
    field("logging", Form::Table(&LOGGING), Shown::Table(&LOGGING)),
    field("mac_address", T, Shown::Text),
    field("mem_limit", SIZE, Shown::Bytes),
    field("mem_reservation", SIZE_INT, Shown::Bytes),
    field("mem_swappiness", INT_OR_TEXT, Shown::Bytes),
    field("memswap_limit", SIZE, Shown::Bytes),
    field("models", SERVICE_MODELS, Shown::TableMap(&SERVICE_MODEL)),
    field("network_mode", T, Shown::Text),
    field("networks", SERVICE_NETWORKS, Shown::TableMap(&SERVICE_NETWORK)),
    field("oom_kill_disable", FLAG_OR_TEXT, Shown::Flag),
    field("oom_score_adj", Form::TextOrInt(-1000, 1000), Shown::Int),
    field("pid", Form::Of(TEXT | NULL), Shown::Text),
    field("pids_limit", NUMBER_OR_TEXT, Shown::Int),
    field("platform", T, Shown::Text),
    field("privileged", FLAG_OR_TEXT, Shown::Flag),
    field("pull_policy", Form::Like(is_pull_policy, PULL_POLICY), Shown::Text),
    field("pull_refresh_after", T, Shown::Text),
    field("read_only", FLAG_OR_TEXT, Shown::Flag),
    field("runtime", T, Shown::Text),
    field("secrets", FILES, Shown::Tables(&FILE)),
    field("security_opt", TEXT_SET, Shown::Texts),
    field("shm_size", SIZE, Shown::Bytes),
    field("stop_grace_period", SPAN, Shown::MaybeDuration),
    field("stop_signal", T, Shown::Text),
    field("storage_opt", Form::Keyed { key: Key::Any, value: &Form::Anything }, Shown::TextMap),
    field("sysctls", LIST_OR_MAP, Shown::Mapping),
    field("tmpfs", TEXT_OR_TEXTS, Shown::TextOrTexts),
    field("ulimits", LIMITS, Shown::Limits),
    field("use_api_socket", Form::Of(FLAG), Shown::Flag),
    field("user", Form::Example(&T, "a text, in quotes if it is a number: \"1000\""), Shown::Text),
    field("userns_mode", T, Shown::Text),
    field("uts", T, Shown::Text),
    field("volumes", VOLUMES, Shown::Tables(&VOLUME)),
    field("volumes_from", TEXT_SET, Shown::Texts),
    field("working_dir", T, Shown::Text),
];

const PULL_POLICY: &str = "always, never, missing, if_not_present, build, refresh, daily, weekly or every_12h";

/// `every_` is followed by numbers, each with a unit.
fn is_pull_policy(text: &str) -> bool {
    if let Some(mut rest) = text.strip_prefix("every_") {
        if rest.is_empty() {
            return false;
        }
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 || !rest[digits..].starts_with(['w', 'd', 'h', 'm', 's']) {
                return false;
            }
            rest = &rest[digits + 1..];
        }
        return true;
    }
    matches!(text, "always" | "never" | "build" | "if_not_present" | "missing" | "refresh" | "daily" | "weekly")
}

static BLKIO: Shape = closed(
    &[&[
        field("device_read_bps", Form::List(&Form::Table(&RATE)), Shown::Tables(&RATE)),
        field("device_read_iops", Form::List(&Form::Table(&RATE)), Shown::Tables(&RATE)),
        field("device_write_bps", Form::List(&Form::Table(&RATE)), Shown::Tables(&RATE)),
        field("device_write_iops", Form::List(&Form::Table(&RATE)), Shown::Tables(&RATE)),
        field("weight", INT_OR_TEXT, Shown::Count),
        field("weight_device", Form::List(&Form::Table(&WEIGHT)), Shown::Tables(&WEIGHT)),
    ]],
    &[],
);
static RATE: Shape =
    closed(&[&[renamed("path", T, Shown::Text, "Path"), renamed("rate", INT_OR_TEXT, Shown::Bytes, "Rate")]], &[]);
static WEIGHT: Shape =
    closed(&[&[renamed("path", T, Shown::Text, "Path"), renamed("weight", INT_OR_TEXT, Shown::Count, "Weight")]], &[]);

const fn renamed(name: &'static str, form: Form, shown: Shown, to: &'static str) -> Field {
    Field { name, form, shown, renamed: Some(to) }
}

static CREDENTIAL_SPEC: Shape =
    shape(&[&[field("config", T, Shown::Text), field("file", T, Shown::Text), field("registry", T, Shown::Text)]], &[]);

static DEVICE: Shape = shape(
    &[&[field("source", T, Shown::Text), field("target", T, Shown::Text), field("permissions", T, Shown::Text)]],
    &["source"],
);

const ENV_FILES: Form = Form::Example(
    &Form::Either(&[T, Form::List(&Form::Either(&[T, Form::Table(&ENV_FILE)]))]),
    "`- file.env`, or `- path: file.env` with `required` and `format`",
);
static ENV_FILE: Shape = closed(
    &[&[field("path", T, Shown::Text), field("required", FLAG_OR_TEXT, Shown::OptOut), field("format", T, Shown::Text)]],
    &["path"],
);

static LOGGING: Shape = shape(
    &[&[
        field("driver", T, Shown::Text),
        field("options", Form::Keyed { key: Key::Any, value: &Form::Of(TEXT | NUMBER | NULL) }, Shown::Options),
    ]],
    &[],
);

const SERVICE_MODELS: Form = Form::Either(&[
    TEXT_SET,
    Form::Keyed { key: Key::NameOrAny, value: &Form::Either(&[Form::Table(&SERVICE_MODEL), Form::Of(NULL)]) },
]);
static SERVICE_MODEL: Shape = shape(&[&[field("endpoint_var", T, Shown::Text), field("model_var", T, Shown::Text)]], &[]);

const SERVICE_NETWORKS: Form = Form::Example(
    &Form::Either(&[
        TEXT_SET,
        Form::Keyed { key: Key::Name, value: &Form::Either(&[Form::Table(&SERVICE_NETWORK), Form::Of(NULL)]) },
    ]),
    "`- name`, or `name:` with `aliases`, `ipv4_address`, …",
);
static SERVICE_NETWORK: Shape = shape(
    &[&[
        field("aliases", TEXT_SET, Shown::Texts),
        field("driver_opts", DRIVER_OPTIONS, Shown::Options),
        field("gw_priority", Form::Of(NUMBER), Shown::Int),
        field("interface_name", T, Shown::Text),
        field("ipv4_address", T, Shown::Text),
        field("ipv6_address", T, Shown::Text),
        field("link_local_ips", TEXT_SET, Shown::Texts),
        field("mac_address", T, Shown::Text),
        field("priority", Form::Of(NUMBER), Shown::Int),
    ]],
    &[],
);

const VOLUMES: Form = Form::Example(
    &Form::Set(&Form::Either(&[T, Form::Table(&VOLUME)])),
    "`- ./data:/data:ro`, or `- type: bind` with `source` and `target`",
);
static VOLUME: Shape = shape(
    &[&[
        field("type", Form::Choice(&["bind", "volume", "tmpfs", "cluster", "npipe", "image"]), Shown::Text),
        field("source", T, Shown::Text),
        field("target", T, Shown::Text),
        field("read_only", FLAG_OR_TEXT, Shown::Flag),
        field("consistency", T, Shown::Text),
        field("bind", Form::Table(&BIND), Shown::Table(&BIND)),
        field("volume", Form::Table(&NAMED), Shown::Table(&NAMED)),
        field("tmpfs", Form::Table(&TMPFS), Shown::Table(&TMPFS)),
        field("image", Form::Table(&IMAGE), Shown::Table(&IMAGE)),
    ]],
    &["type"],
);
static BIND: Shape = shape(
    &[&[
        field("selinux", Form::Choice(&["z", "Z"]), Shown::Text),
        field("propagation", T, Shown::Text),
        field("create_host_path", Form::Of(FLAG | TEXT), Shown::OptOut),
        field("recursive", Form::Choice(&["enabled", "disabled", "writable", "readonly"]), Shown::Text),
    ]],
    &[],
);
static NAMED: Shape = shape(
    &[&[
        field("labels", LIST_OR_MAP, Shown::Mapping),
        field("nocopy", FLAG_OR_TEXT, Shown::Flag),
        field("subpath", T, Shown::Text),
    ]],
    &[],
);
static TMPFS: Shape = shape(
    &[&[field("size", Form::TextOrInt(0, i64::MAX), Shown::Bytes), field("mode", Form::Of(INT | NUMBER | TEXT), Shown::Count)]],
    &[],
);
static IMAGE: Shape = shape(&[&[field("subpath", T, Shown::Text)]], &[]);
