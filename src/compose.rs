//! From compose files to workloads. Pure: reads no file by itself, asks nobody, and knows nothing of Kubernetes' objects.

pub mod sensitive;
pub mod translate;
