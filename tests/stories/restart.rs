//! What is left after the program was ended or killed, and what becomes of it.
