//! The Compose Specification as tables: for every key what may be written there ([`Form`]) and what it becomes in the canonical form
//! ([`Shown`]). The tables decide nothing: `check` reads the one column, `canonical` the other.

mod container;
mod top;
mod workload;

pub use container::CONTAINER;
pub use top::{SECTIONS, Section};

/// The kinds of scalars that a form takes.
pub const TEXT: u8 = 1;
pub const INT: u8 = 2;
/// Any number, whole ones included.
pub const NUMBER: u8 = 4;
pub const FLAG: u8 = 8;
pub const NULL: u8 = 16;

/// What may be written.
#[derive(Debug)]
pub enum Form {
    /// Scalars of some kinds.
    Of(u8),
    /// One of some texts.
    Choice(&'static [&'static str]),
    /// A text of a certain form, which is told.
    Like(fn(&str) -> bool, &'static str),
    /// A text, or a whole number in a range.
    TextOrInt(i64, i64),
    List(&'static Form),
    /// A list whose items differ from each other.
    Set(&'static Form),
    Table(&'static Shape),
    /// A mapping with keys of people's own.
    Keyed {
        key: Key,
        value: &'static Form,
    },
    /// The first that takes this kind of value.
    Either(&'static [Form]),
    /// The same, with an example for whoever wrote something else.
    Example(&'static Form, &'static str),
    Anything,
}

/// Which keys a mapping with keys of people's own may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Any,
    NotEmpty,
    /// Letters, digits, `.`, `_`, `-`.
    Name,
    /// The same, but what does not look like this is let through unseen.
    NameOrAny,
    /// Small letters; what does not look like this is let through unseen.
    LettersOrAny,
}

/// What becomes of a value.
#[derive(Debug, Clone, Copy)]
pub enum Shown {
    /// Not part of the canonical form.
    No,
    Text,
    Flag,
    /// Shown whenever it is given.
    MaybeFlag,
    /// Shown when it is false.
    OptOut,
    Int,
    MaybeInt,
    Count,
    MaybeCount,
    Real,
    Cpus,
    Bytes,
    Duration,
    MaybeDuration,
    Texts,
    /// A list of texts, which may be written as one text.
    TextOrTexts,
    /// A list of texts or numbers.
    Ports,
    /// Texts by name, in one of the ways of writing them.
    Mapping,
    Variables,
    Labels,
    Options,
    ManyOptions,
    TextMap,
    Command,
    Test,
    Hosts,
    Mode,
    Ssh,
    DeviceCount,
    Limits,
    Table(&'static Shape),
    /// Shown even when nothing of it is given.
    Inline(&'static Shape),
    Tables(&'static Shape),
    /// Tables by name; nothing may stand for one.
    TableMap(&'static Shape),
}

#[derive(Debug)]
pub struct Field {
    pub name: &'static str,
    pub form: Form,
    pub shown: Shown,
    /// The name in the canonical form, shown even without a value, where it differs.
    pub renamed: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    Refused,
    /// Those that begin with `x-`.
    Extensions,
    Anything,
}

#[derive(Debug)]
pub struct Shape {
    pub parts: &'static [&'static [Field]],
    pub required: &'static [&'static str],
    /// One of these at least, if there are any.
    pub any_of: &'static [&'static str],
    pub others: Others,
}

impl Shape {
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> {
        self.parts.iter().flat_map(|part| part.iter())
    }

    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields().find(|field| field.name == name)
    }
}

const fn field(name: &'static str, form: Form, shown: Shown) -> Field {
    Field { name, form, shown, renamed: None }
}

const fn shape(parts: &'static [&'static [Field]], required: &'static [&'static str]) -> Shape {
    Shape { parts, required, any_of: &[], others: Others::Extensions }
}

const fn closed(parts: &'static [&'static [Field]], required: &'static [&'static str]) -> Shape {
    Shape { parts, required, any_of: &[], others: Others::Refused }
}

const T: Form = Form::Of(TEXT);
const FLAG_OR_TEXT: Form = Form::Of(FLAG | TEXT);
const INT_OR_TEXT: Form = Form::Of(INT | TEXT);
const NUMBER_OR_TEXT: Form = Form::Of(NUMBER | TEXT);
const TEXTS: Form = Form::List(&T);
const TEXT_SET: Form = Form::Set(&T);
const TEXT_OR_TEXTS: Form = Form::Either(&[T, TEXT_SET]);
const SIZE: Form = Form::Example(&NUMBER_OR_TEXT, "a size such as `512m`");
const SIZE_INT: Form = Form::Example(&INT_OR_TEXT, "a size such as `512m`");
const SIZE_TEXT: Form = Form::Example(&T, "a size in quotes or with a unit, such as `512m`");
const SPAN: Form = Form::Example(&T, "a duration with its unit, such as `30s` or `1m30s`");
const NAMED_SCALARS: Form = Form::Keyed { key: Key::NotEmpty, value: &Form::Of(TEXT | NUMBER | FLAG | NULL) };
const LIST_OR_MAP: Form = Form::Example(&Form::Either(&[NAMED_SCALARS, TEXT_SET]), "`KEY: value` or `- KEY=value`");
const DRIVER_OPTIONS: Form = Form::Keyed { key: Key::Any, value: &NUMBER_OR_TEXT };
const COMMAND: Form =
    Form::Example(&Form::Either(&[Form::Of(NULL), T, TEXTS]), "a text, or a list of texts such as `[\"npm\", \"start\"]`");
const HOSTS: Form = Form::Example(
    &Form::Either(&[Form::Keyed { key: Key::NotEmpty, value: &Form::Either(&[T, TEXTS]) }, TEXT_SET]),
    "`- \"name=10.0.0.1\"` or `name: 10.0.0.1`",
);
const LIMITS: Form = Form::Keyed { key: Key::LettersOrAny, value: &Form::Either(&[INT_OR_TEXT, Form::Table(&LIMIT)]) };
static LIMIT: Shape =
    shape(&[&[field("hard", INT_OR_TEXT, Shown::No), field("soft", INT_OR_TEXT, Shown::No)]], &["soft", "hard"]);
/// Where a config or a secret is mounted.
const FILES: Form = Form::Example(
    &Form::List(&Form::Either(&[T, Form::Table(&FILE)])),
    "`- name`, or `- source: name` with `target`, `uid`, `gid`, `mode`",
);
static FILE: Shape = shape(
    &[&[
        field("source", T, Shown::Text),
        field("target", T, Shown::Text),
        field("uid", T, Shown::Text),
        field("gid", T, Shown::Text),
        field("mode", NUMBER_OR_TEXT, Shown::Mode),
    ]],
    &[],
);
static DEVICES: Shape = shape(
    &[&[
        field("capabilities", TEXT_SET, Shown::Texts),
        field("driver", T, Shown::Text),
        field("count", INT_OR_TEXT, Shown::DeviceCount),
        field("device_ids", TEXT_SET, Shown::Texts),
        field("options", LIST_OR_MAP, Shown::Mapping),
    ]],
    &["capabilities"],
);
/// The same below `gpus`, where the specification is open.
static GPUS: Shape = Shape {
    parts: &[&[
        field("capabilities", TEXT_SET, Shown::Texts),
        field("driver", T, Shown::Text),
        field("count", INT_OR_TEXT, Shown::DeviceCount),
        field("device_ids", TEXT_SET, Shown::Texts),
        field("options", LIST_OR_MAP, Shown::Mapping),
    ]],
    required: &[],
    any_of: &[],
    others: Others::Anything,
};
