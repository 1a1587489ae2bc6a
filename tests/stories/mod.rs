//! What happens, from the outside: the whole program, driven through its doors.

mod approvals;
mod clusters;
mod fetched;
mod first_steps;
mod idle;
mod kill;
mod malformed;
mod people;
mod pipe;
mod queue;
mod restart;
mod secrets;
mod serve;
mod shared;
mod store;
