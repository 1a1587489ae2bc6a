//! Compose files: the whole Compose Specification, read into one canonical tree. Reading is bounded in time and memory, opens no file
//! outside the folder it is bound to, and takes variables from nowhere but where it is told to.
//!
//! A reading goes: text to tree with places ([`yaml`]), variables ([`interpolate`]), `include` and `extends`, files over each other
//! ([`merge`]), the specification's tables ([`spec`], [`check`]), long forms ([`short`]), what goes without saying ([`normalize`]), the
//! canonical form ([`canonical`]), whether it fits together ([`consistent`]).
//!
//! From there [`translate`] makes workloads. It is pure, and knows nothing of Kubernetes' objects.

mod bound;
mod budget;
mod canonical;
mod check;
mod consistent;
mod dotenv;
mod fault;
mod files;
mod interpolate;
mod load;
mod merge;
mod node;
mod normalize;
pub mod output;
mod paths;
mod read;
pub mod sensitive;
mod short;
mod spec;
pub mod translate;
mod unique;
mod units;
mod validate;
mod variables;
mod words;
mod yaml;

pub use bound::Bound;
pub use fault::{Place, Refused, Told};
pub use files::Access;
pub use interpolate::tree::Asked;
pub use read::{Input, Project, Reading, read, survey, variables};
pub use variables::{Variable, settable};
