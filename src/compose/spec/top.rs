//! The sections of a compose file, and what may stand in each. `services` and `jobs` are built of the tables beside this one.

use super::container::CONTAINER;
use super::workload::{SERVICE, WORKLOAD};
use super::{
    DRIVER_OPTIONS, FLAG, FLAG_OR_TEXT, Field, Form, INT, Key, LIST_OR_MAP, NULL, Others, Shape, Shown, T, TEXT, TEXT_SET, TEXTS,
    field, shape,
};

/// A part of the file that holds things by name.
#[derive(Debug)]
pub struct Section {
    pub name: &'static str,
    pub form: Form,
    pub shape: &'static Shape,
}

pub static SECTIONS: &[Section] = &[
    Section { name: "services", form: Form::Table(&SERVICE), shape: &SERVICE },
    Section { name: "jobs", form: Form::Table(&JOB), shape: &JOB },
    Section { name: "networks", form: Form::Either(&[Form::Table(&NETWORK), Form::Of(NULL)]), shape: &NETWORK },
    Section { name: "volumes", form: Form::Either(&[Form::Table(&VOLUME), Form::Of(NULL)]), shape: &VOLUME },
    Section { name: "secrets", form: Form::Table(&SECRET), shape: &SECRET },
    Section { name: "configs", form: Form::Table(&CONFIG), shape: &CONFIG },
    Section { name: "models", form: Form::Table(&MODEL), shape: &MODEL },
];

static JOB: Shape = shape(&[CONTAINER, WORKLOAD, JOB_OWN], &["triggers"]);

pub static JOB_OWN: &[Field] =
    &[field("profiles", TEXT_SET, Shown::Texts), field("triggers", Form::Table(&TRIGGERS), Shown::Table(&TRIGGERS))];
static TRIGGERS: Shape = Shape {
    parts: &[&[
        field("manual", FLAG_OR_TEXT, Shown::MaybeFlag),
        field("schedule", Form::List(&Form::Either(&[T, Form::Table(&SCHEDULE)])), Shown::Tables(&SCHEDULE)),
    ]],
    required: &[],
    any_of: &["manual", "schedule"],
    others: Others::Extensions,
};
static SCHEDULE: Shape = shape(
    &[&[
        field("cron", T, Shown::Text),
        field("timezone", T, Shown::Text),
        field("concurrency", Form::Choice(&["forbid", "queue"]), Shown::Text),
        field("missed_fires", Form::Choice(&["one", "skip"]), Shown::Text),
    ]],
    &["cron"],
);

const EXTERNAL: Form = Form::Either(&[Form::Of(FLAG | TEXT), Form::Table(&EXTERNAL_NAME)]);
static EXTERNAL_NAME: Shape = shape(&[&[field("name", T, Shown::No)]], &[]);
const OPEN_EXTERNAL: Form = Form::Either(&[Form::Of(FLAG | TEXT), Form::Table(&OPEN_EXTERNAL_NAME)]);
static OPEN_EXTERNAL_NAME: Shape =
    Shape { parts: &[&[field("name", T, Shown::No)]], required: &[], any_of: &[], others: Others::Anything };
const NAMED_TEXTS: Form = Form::Keyed { key: Key::NotEmpty, value: &Form::Of(TEXT) };

static NETWORK: Shape = shape(
    &[&[
        field("name", T, Shown::Text),
        field("driver", T, Shown::Text),
        field("driver_opts", DRIVER_OPTIONS, Shown::Options),
        field("ipam", Form::Table(&IPAM), Shown::Inline(&IPAM)),
        field("external", EXTERNAL, Shown::Flag),
        field("internal", FLAG_OR_TEXT, Shown::Flag),
        field("attachable", FLAG_OR_TEXT, Shown::Flag),
        field("labels", LIST_OR_MAP, Shown::Labels),
        field("enable_ipv4", FLAG_OR_TEXT, Shown::MaybeFlag),
        field("enable_ipv6", FLAG_OR_TEXT, Shown::MaybeFlag),
    ]],
    &[],
);
static IPAM: Shape = shape(
    &[&[
        field("driver", T, Shown::Text),
        field("config", Form::List(&Form::Table(&POOL)), Shown::Tables(&POOL)),
        field("options", NAMED_TEXTS, Shown::Options),
    ]],
    &[],
);
static POOL: Shape = shape(
    &[&[
        field("subnet", T, Shown::Text),
        field("gateway", T, Shown::Text),
        field("ip_range", T, Shown::Text),
        field("aux_addresses", NAMED_TEXTS, Shown::Mapping),
    ]],
    &[],
);

static VOLUME: Shape = shape(
    &[&[
        field("name", T, Shown::Text),
        field("driver", T, Shown::Text),
        field("driver_opts", DRIVER_OPTIONS, Shown::Options),
        field("external", EXTERNAL, Shown::Flag),
        field("labels", LIST_OR_MAP, Shown::Labels),
    ]],
    &[],
);

static SECRET: Shape = shape(
    &[&[
        field("name", T, Shown::Text),
        field("file", T, Shown::Text),
        field("environment", T, Shown::Text),
        field("external", OPEN_EXTERNAL, Shown::Flag),
        field("labels", LIST_OR_MAP, Shown::Labels),
        field("driver", T, Shown::Text),
        field("driver_opts", DRIVER_OPTIONS, Shown::TextMap),
        field("template_driver", T, Shown::Text),
    ]],
    &[],
);

static CONFIG: Shape = shape(
    &[&[
        field("name", T, Shown::Text),
        field("file", T, Shown::Text),
        field("environment", T, Shown::Text),
        field("content", T, Shown::Text),
        field("external", OPEN_EXTERNAL, Shown::Flag),
        field("labels", LIST_OR_MAP, Shown::Labels),
        field("template_driver", T, Shown::Text),
    ]],
    &[],
);

static MODEL: Shape = shape(
    &[&[
        field("name", T, Shown::Text),
        field("model", T, Shown::Text),
        field("context_size", Form::Of(INT), Shown::Int),
        field("runtime_flags", TEXTS, Shown::Texts),
    ]],
    &["model"],
);
