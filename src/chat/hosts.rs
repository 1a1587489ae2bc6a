//! Which hosts are one: a gateway or a test on this machine may name it in several ways.

pub fn is_same(one: &str, other: &str) -> bool {
    one == other || (is_here(one) && is_here(other))
}

/// The usual names of this machine; it may have further addresses, where somebody else listens.
fn is_here(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "::1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_names_of_this_machine_are_one() {
        assert!(is_same("localhost", "127.0.0.1") && is_same("[::1]", "localhost") && is_same("a.example", "a.example"));
        assert!(!is_same("localhost", "10.0.0.1") && !is_same("127.0.0.2", "127.0.0.1") && !is_same("a.example", "b.example"));
    }
}
