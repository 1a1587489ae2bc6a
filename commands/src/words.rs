//! Typed text into words, as a POSIX shell would quote them, and back.
//!
//! Takes the typographic quotes and dashes that phones and word processors type. Has no comments, variables or globs:
//! `#`, `$` and `*` are letters like others.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    pub text: String,
    /// Where it starts in the text that was split.
    pub start: usize,
    /// It is one quoted piece and nothing else.
    pub quoted: bool,
}

/// The words of `s`; an error is the place of a quote or backslash that has no end.
pub(crate) fn split(s: &str) -> Result<Vec<Word>, usize> {
    // A quote opened as " and closed as ” (pasted text) is closed after all, if nothing else makes sense of the line.
    scan(s, false, false).or_else(|at| scan(s, true, false).map_err(|_| at))
}

/// As `split`, but a comma before `NAME=` parts words too.
pub(crate) fn split_list(s: &str) -> Result<Vec<Word>, usize> {
    scan(s, false, true)
}

fn scan(s: &str, lenient: bool, commas: bool) -> Result<Vec<Word>, usize> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut chars = s.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let comma = commas && c == ',' && (word.is_some() || !words.is_empty()) && names_variable(&s[at + 1..]);
        if c.is_whitespace() || comma {
            words.extend(word.take());
            continue;
        }
        let first = word.is_none();
        let current = word.get_or_insert_with(|| Word { text: String::new(), start: at, quoted: false });
        current.quoted = false;
        match c {
            '\'' | '"' | '‘' | '’' | '“' | '”' => {
                let double = matches!(c, '"' | '“' | '”');
                let closes = |d: char| match (double, lenient || !c.is_ascii()) {
                    (true, false) => d == '"',
                    (true, true) => matches!(d, '"' | '“' | '”'),
                    (false, false) => d == '\'',
                    (false, true) => matches!(d, '\'' | '‘' | '’'),
                };
                loop {
                    match chars.next() {
                        None => return Err(at),
                        Some((_, d)) if closes(d) => break,
                        Some((_, '\\')) if double => match chars.next() {
                            None => return Err(at),
                            Some((_, '\n')) => {}
                            Some((_, e)) => {
                                if !matches!(e, '"' | '\\' | '$' | '`' | '“' | '”') {
                                    current.text.push('\\');
                                }
                                current.text.push(e);
                            }
                        },
                        Some((_, d)) => current.text.push(d),
                    }
                }
                current.quoted = first;
            }
            '\\' => match chars.next() {
                None => return Err(at),
                Some((_, '\n')) => {}
                Some((_, d)) => current.text.push(d),
            },
            '—' => current.text.push_str("--"),
            '–' if first && chars.peek().is_some_and(|(_, d)| d.is_alphabetic()) => current.text.push_str("--"),
            '–' => current.text.push('-'),
            _ => current.text.push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Whether a text starts with `NAME=`.
pub(crate) fn names_variable(s: &str) -> bool {
    s.trim_start().split_once('=').is_some_and(|(name, _)| crate::values::variable_name(name).is_ok())
}

/// A word that `split` gives back as it was.
pub(crate) fn quote(word: &str) -> String {
    let bare = !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:@=+,%".contains(&b));
    if bare { word.to_owned() } else { enclose(word) }
}

/// A word that `split_list` gives back as it was: a comma may part words there.
pub(crate) fn quote_item(word: &str) -> String {
    if word.contains(',') { enclose(word) } else { quote(word) }
}

/// A text as one quoted piece, whether it needs that or not.
pub(crate) fn enclose(text: &str) -> String {
    match text.contains('\'') {
        false => format!("'{text}'"),
        true => format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(s: &str) -> Vec<String> {
        split(s).unwrap().into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn typographic_marks_are_plain() {
        assert_eq!(texts("“a b” ‘c d’ —yes –cpu 2"), ["a b", "c d", "--yes", "--cpu", "2"]);
        assert_eq!(texts("\"a b” c"), ["a b", "c"]);
        assert_eq!(texts("'“kept”—'"), ["“kept”—"]);
        assert_eq!(texts("#a *"), ["#a", "*"]);
        assert_eq!(texts("''"), [""]);
    }

    #[test]
    fn an_open_quote_is_placed() {
        assert_eq!(split("a 'b"), Err(2));
        assert_eq!(split("a b\\"), Err(3));
    }

    #[test]
    fn lists() {
        let texts = |s| -> Vec<String> { split_list(s).unwrap().into_iter().map(|word| word.text).collect() };
        assert_eq!(texts("A=1,B=2"), ["A=1", "B=2"]);
        assert_eq!(texts("A=1,2 B='x,C=3'\nD=4, E=5"), ["A=1,2", "B=x,C=3", "D=4", "E=5"]);
    }

    proptest::proptest! {
        #[test]
        fn quoting_is_undone(words: Vec<String>) {
            let line = words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
            proptest::prop_assert_eq!(texts(&line), words);
        }

        #[test]
        fn quoting_an_item_is_undone(words in proptest::collection::vec("[A-Z_=,' \"x]{0,8}", 0..5)) {
            let line = words.iter().map(|word| quote_item(word)).collect::<Vec<_>>().join(" ");
            let split = split_list(&line).unwrap().into_iter().map(|word| word.text).collect::<Vec<_>>();
            proptest::prop_assert_eq!(split, words);
        }

        #[test]
        fn agrees_with_shlex(line in "[a-z '\"\\\\\n$]{0,30}") {
            let ours = split(&line).ok().map(|words| words.into_iter().map(|word| word.text).collect::<Vec<_>>());
            proptest::prop_assert_eq!(ours, shlex::split(&line));
        }
    }
}
