//! The keys of services and jobs beyond their container, and those that only services have.

use super::container::CONTAINER;
use super::{
    COMMAND, DEVICES, FILE, FILES, FLAG, FLAG_OR_TEXT, Field, Form, HOSTS, INT, INT_OR_TEXT, Key, LIMITS, LIST_OR_MAP, NULL,
    NUMBER, NUMBER_OR_TEXT, SIZE_INT, SIZE_TEXT, SPAN, Shape, Shown, T, TEXT, TEXT_OR_TEXTS, TEXT_SET, TEXTS, closed, field,
    shape,
};

pub static SERVICE: Shape = shape(&[CONTAINER, WORKLOAD, SERVICE_OWN], &[]);
pub static HOOK: Shape = shape(&[CONTAINER, &[field("per_replica", FLAG_OR_TEXT, Shown::Flag)]], &[]);

pub static WORKLOAD: &[Field] = &[
    field(
        "build",
        Form::Example(&Form::Either(&[T, Form::Table(&BUILD)]), "`build: ./folder`, or `build:` with `context` and `dockerfile`"),
        Shown::Table(&BUILD),
    ),
    field("depends_on", DEPENDS_ON, Shown::TableMap(&DEPENDENCY)),
    field("expose", Form::Set(&Form::Of(TEXT | NUMBER)), Shown::Ports),
    field("healthcheck", Form::Table(&HEALTHCHECK), Shown::Table(&HEALTHCHECK)),
    field("ports", PORTS, Shown::Tables(&PORT)),
    field("stdin_open", FLAG_OR_TEXT, Shown::Flag),
    field("tty", FLAG_OR_TEXT, Shown::Flag),
];

static SERVICE_OWN: &[Field] = &[
    field("attach", FLAG_OR_TEXT, Shown::MaybeFlag),
    field(
        "container_name",
        Form::Like(is_container_name, "letters, digits, `_`, `.` and `-`, two of them at least"),
        Shown::Text,
    ),
    field("deploy", Form::Either(&[Form::Table(&DEPLOY), Form::Of(NULL)]), Shown::Table(&DEPLOY)),
    field("develop", Form::Either(&[Form::Table(&DEVELOP), Form::Of(NULL)]), Shown::Table(&DEVELOP)),
    field("extends", Form::Either(&[T, Form::Table(&EXTENDS)]), Shown::Table(&EXTENDS)),
    field("external_links", TEXT_SET, Shown::Texts),
    field("links", TEXT_SET, Shown::Texts),
    field("post_start", Form::List(&Form::Table(&SERVICE_HOOK)), Shown::Tables(&SERVICE_HOOK)),
    field("pre_start", Form::List(&Form::Table(&HOOK)), Shown::Tables(&HOOK)),
    field("pre_stop", Form::List(&Form::Table(&SERVICE_HOOK)), Shown::Tables(&SERVICE_HOOK)),
    field("profiles", TEXT_SET, Shown::Texts),
    field("provider", Form::Table(&PROVIDER), Shown::Table(&PROVIDER)),
    field("restart", Form::Example(&T, "\"no\" (in quotes), always, on-failure or unless-stopped"), Shown::Text),
    field("scale", INT_OR_TEXT, Shown::MaybeInt),
];

/// Somewhere in it, a letter or digit is followed by one more character of a name.
fn is_container_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let goes_on = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    bytes.windows(2).any(|pair| pair[0].is_ascii_alphanumeric() && goes_on(pair[1]))
}

static BUILD: Shape = shape(
    &[&[
        field("context", T, Shown::Text),
        field("dockerfile", T, Shown::Text),
        field("dockerfile_inline", T, Shown::Text),
        field("entitlements", TEXTS, Shown::Texts),
        field("args", LIST_OR_MAP, Shown::Variables),
        field("provenance", FLAG_OR_TEXT, Shown::Text),
        field("sbom", FLAG_OR_TEXT, Shown::Text),
        field("ssh", LIST_OR_MAP, Shown::Ssh),
        field("labels", LIST_OR_MAP, Shown::Labels),
        field("cache_from", TEXTS, Shown::TextOrTexts),
        field("cache_to", TEXTS, Shown::TextOrTexts),
        field("no_cache", FLAG_OR_TEXT, Shown::Flag),
        field("no_cache_filter", TEXT_OR_TEXTS, Shown::TextOrTexts),
        field("additional_contexts", LIST_OR_MAP, Shown::Mapping),
        field("network", T, Shown::Text),
        field("pull", FLAG_OR_TEXT, Shown::Flag),
        field("target", T, Shown::Text),
        field("shm_size", SIZE_INT, Shown::Bytes),
        field("extra_hosts", HOSTS, Shown::Hosts),
        field("isolation", T, Shown::Text),
        field("privileged", FLAG_OR_TEXT, Shown::Flag),
        field("secrets", FILES, Shown::Tables(&FILE)),
        field("tags", TEXTS, Shown::TextOrTexts),
        field("ulimits", LIMITS, Shown::Limits),
        field("platforms", TEXTS, Shown::TextOrTexts),
    ]],
    &[],
);

const CONDITIONS: Form = Form::Choice(&["service_started", "service_healthy", "service_completed_successfully"]);
const DEPENDS_ON: Form = Form::Example(
    &Form::Either(&[TEXT_SET, Form::Keyed { key: Key::Name, value: &Form::Table(&DEPENDENCY) }]),
    "`- name`, or `name:` with `condition: service_healthy`",
);
static DEPENDENCY: Shape = shape(
    &[&[
        field("condition", CONDITIONS, Shown::Text),
        field("restart", FLAG_OR_TEXT, Shown::Flag),
        Field { name: "required", form: Form::Of(FLAG), shown: Shown::Flag, renamed: Some("required") },
    ]],
    &["condition"],
);

static HEALTHCHECK: Shape = shape(
    &[&[
        field("disable", FLAG_OR_TEXT, Shown::Flag),
        field("interval", SPAN, Shown::MaybeDuration),
        field("retries", NUMBER_OR_TEXT, Shown::MaybeCount),
        field(
            "test",
            Form::Example(&Form::Either(&[T, TEXTS]), "a text, or a list that begins with CMD, CMD-SHELL or NONE"),
            Shown::Test,
        ),
        field("timeout", SPAN, Shown::MaybeDuration),
        field("start_period", SPAN, Shown::MaybeDuration),
        field("start_interval", SPAN, Shown::MaybeDuration),
    ]],
    &[],
);

const PORTS: Form = Form::Example(
    &Form::Set(&Form::Either(&[Form::Of(TEXT | NUMBER), Form::Table(&PORT)])),
    "`- \"8080:80\"`, or `- target: 80` with `published`",
);
static PORT: Shape = shape(
    &[&[
        field("name", T, Shown::Text),
        field("mode", T, Shown::Text),
        field("host_ip", T, Shown::Text),
        field("target", INT_OR_TEXT, Shown::Count),
        field("published", INT_OR_TEXT, Shown::Text),
        field("protocol", T, Shown::Text),
        field("app_protocol", T, Shown::Text),
    ]],
    &[],
);

static EXTENDS: Shape = closed(&[&[field("file", T, Shown::Text), field("service", T, Shown::Text)]], &["service"]);

static PROVIDER: Shape = shape(
    &[&[
        field("type", T, Shown::Text),
        field(
            "options",
            Form::Keyed {
                key: Key::Any,
                value: &Form::Either(&[Form::Of(TEXT | NUMBER | FLAG), Form::List(&Form::Of(TEXT | NUMBER | FLAG))]),
            },
            Shown::ManyOptions,
        ),
    ]],
    &["type"],
);

static SERVICE_HOOK: Shape = shape(
    &[&[
        field("command", COMMAND, Shown::Command),
        field("user", T, Shown::Text),
        field("privileged", FLAG_OR_TEXT, Shown::Flag),
        field("working_dir", T, Shown::Text),
        field("environment", LIST_OR_MAP, Shown::Variables),
    ]],
    &["command"],
);

static DEVELOP: Shape = shape(&[&[field("watch", Form::List(&Form::Table(&WATCH)), Shown::Tables(&WATCH))]], &[]);
static WATCH: Shape = shape(
    &[&[
        Field { name: "path", form: T, shown: Shown::Text, renamed: Some("path") },
        Field {
            name: "action",
            form: Form::Choice(&["rebuild", "sync", "restart", "sync+restart", "sync+exec"]),
            shown: Shown::Text,
            renamed: Some("action"),
        },
        field("target", T, Shown::Text),
        field("exec", Form::Table(&SERVICE_HOOK), Shown::Inline(&SERVICE_HOOK)),
        field("include", TEXT_OR_TEXTS, Shown::Texts),
        field("ignore", TEXT_OR_TEXTS, Shown::Texts),
        field("initial_sync", Form::Of(FLAG), Shown::Flag),
    ]],
    &["path", "action"],
);

pub static DEPLOY: Shape = shape(
    &[&[
        field("mode", T, Shown::Text),
        field("endpoint_mode", T, Shown::Text),
        field("replicas", INT_OR_TEXT, Shown::MaybeInt),
        field("labels", LIST_OR_MAP, Shown::Labels),
        field("rollback_config", Form::Table(&UPDATE), Shown::Table(&UPDATE)),
        field("update_config", Form::Table(&UPDATE), Shown::Table(&UPDATE)),
        field("resources", Form::Table(&RESOURCES), Shown::Inline(&RESOURCES)),
        field("restart_policy", Form::Table(&RESTART), Shown::Table(&RESTART)),
        field("placement", Form::Table(&PLACEMENT), Shown::Inline(&PLACEMENT)),
    ]],
    &[],
);
static UPDATE: Shape = shape(
    &[&[
        field("parallelism", INT_OR_TEXT, Shown::MaybeCount),
        field("delay", SPAN, Shown::Duration),
        field("failure_action", T, Shown::Text),
        field("monitor", SPAN, Shown::Duration),
        field("max_failure_ratio", NUMBER_OR_TEXT, Shown::Real),
        field("order", Form::Choice(&["start-first", "stop-first"]), Shown::Text),
    ]],
    &[],
);
static RESOURCES: Shape = shape(
    &[&[
        field("limits", Form::Table(&MOST), Shown::Table(&MOST)),
        field("reservations", Form::Table(&LEAST), Shown::Table(&LEAST)),
    ]],
    &[],
);
static MOST: Shape = shape(
    &[&[
        field("cpus", NUMBER_OR_TEXT, Shown::Cpus),
        field("memory", SIZE_TEXT, Shown::Bytes),
        field("pids", Form::Of(INT | TEXT), Shown::Int),
    ]],
    &[],
);
static LEAST: Shape = shape(
    &[&[
        field("cpus", NUMBER_OR_TEXT, Shown::Cpus),
        field("memory", SIZE_TEXT, Shown::Bytes),
        field("generic_resources", Form::List(&Form::Table(&GENERIC)), Shown::Tables(&GENERIC)),
        field("devices", Form::List(&Form::Table(&DEVICES)), Shown::Tables(&DEVICES)),
    ]],
    &[],
);
static GENERIC: Shape = shape(&[&[field("discrete_resource_spec", Form::Table(&DISCRETE), Shown::Table(&DISCRETE))]], &[]);
static DISCRETE: Shape = shape(
    &[&[
        Field { name: "kind", form: T, shown: Shown::Text, renamed: Some("kind") },
        Field { name: "value", form: NUMBER_OR_TEXT, shown: Shown::Int, renamed: Some("value") },
    ]],
    &[],
);
static RESTART: Shape = shape(
    &[&[
        field("condition", T, Shown::Text),
        field("delay", SPAN, Shown::MaybeDuration),
        field("max_attempts", INT_OR_TEXT, Shown::MaybeCount),
        field("window", SPAN, Shown::MaybeDuration),
    ]],
    &[],
);
static PLACEMENT: Shape = shape(
    &[&[
        field("constraints", TEXTS, Shown::Texts),
        field("preferences", Form::List(&Form::Table(&PREFERENCE)), Shown::Tables(&PREFERENCE)),
        field("max_replicas_per_node", INT_OR_TEXT, Shown::Count),
    ]],
    &[],
);
static PREFERENCE: Shape = shape(&[&[field("spread", T, Shown::Text)]], &[]);
