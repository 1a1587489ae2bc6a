//! Stories on a real Kubernetes: the whole program, a real API server, pretend nodes and a real one.

mod goose;
mod life;
