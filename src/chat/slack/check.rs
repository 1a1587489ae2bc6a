//! What can be tried of a configuration before anybody relies on it.
