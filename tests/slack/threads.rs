//! Threads: who opens them, what is said in them, how answers come.
