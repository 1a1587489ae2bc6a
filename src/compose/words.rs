//! A command in one text, split into its words. Quotes and backslashes are known; there is no shell, so that nothing is expanded or run,
//! and what would need one ends the command.

/// Nothing, if a quote or a bracket is not closed.
pub fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut begun = false;
    let (mut escaped, mut double, mut single, mut back, mut bracket) = (false, false, false, false, false);
    for c in line.chars() {
        if escaped {
            word.push(c);
            escaped = false;
            begun = true;
            continue;
        }
        match c {
            '\\' if single => word.push(c),
            '\\' => escaped = true,
            ' ' | '\t' | '\r' | '\n' => {
                if single || double || back || bracket {
                    word.push(c);
                } else if begun {
                    words.push(std::mem::take(&mut word));
                    begun = false;
                }
            }
            '"' if !single && !bracket => {
                begun |= double;
                double = !double;
            }
            '\'' if !double && !bracket => {
                begun |= single;
                single = !single;
            }
            '(' if !single && !double && !back => {
                if bracket || !word.ends_with('$') {
                    return None;
                }
                bracket = true;
                word.push('(');
            }
            ';' | '&' | '|' | '<' | '>' if !(single || double || back || bracket) => {
                // A number in front of `>` names a stream, it is no word.
                if c == '>' && word.starts_with(|c: char| c.is_ascii_digit()) {
                    begun = false;
                }
                break;
            }
            c => {
                match c {
                    '`' if !single && !double && !bracket => back = !back,
                    ')' if !single && !double && !back => bracket = !bracket,
                    _ => {}
                }
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    (!(escaped || single || double || back || bracket)).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let split = |line| split(line).unwrap();
        assert_eq!(split("a 'b c' \"d e\" f\\ g"), ["a", "b c", "d e", "f g"]);
        assert_eq!(split("sh -c \"echo 'x' | wc\""), ["sh", "-c", "echo 'x' | wc"]);
        assert_eq!(split("a ''"), ["a", ""]);
        assert_eq!(split("a | b"), ["a"]);
        assert_eq!(split("a 2>/dev/null"), ["a"]);
        assert_eq!(split("echo $(date +%s) `x y`"), ["echo", "$(date +%s)", "`x y`"]);
        assert_eq!(split("  "), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_closed_is_refused() {
        for line in ["a 'b", "a \"b", "a \\", "(a)", "`a"] {
            assert_eq!(super::split(line), None, "{line}");
        }
    }
}
