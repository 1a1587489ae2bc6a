//! What happens, from the outside: the whole program, driven through its doors.

mod first_steps;
mod malformed;
mod restart;
