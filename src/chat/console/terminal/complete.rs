//! Tab: the grammar says what can come next, the composition root which projects, sessions, approvals and people there are.

use gaggle_commands::Candidates;

use super::clean;

/// What there is, as far as the person at the console may see it. May block: it is asked from the terminal's own thread.
pub trait Names: Send + Sync {
    fn names(&self, of: &Candidates) -> Vec<String>;
}

/// Where the word that is being typed starts, and what it can become.
pub fn words(line: &str, names: &dyn Names) -> (usize, Vec<String>) {
    let completion = gaggle_commands::complete(line);
    let start = completion.start.min(line.len());
    let begun = &line[start..];
    let words = match completion.candidates {
        Candidates::Nothing => Vec::new(),
        Candidates::Words(words) => words.into_iter().map(|(word, _)| word).collect(),
        of => {
            let mut names = names.names(&of);
            names.retain(|name| name.starts_with(begun) && *name == clean::line(name));
            names.sort();
            names.dedup();
            names
        }
    };
    (start, words)
}

/// The line with its last word completed as far as it is clear, and what there is to choose from if it is not.
pub fn line(line: &str, names: &dyn Names) -> (String, Vec<String>) {
    let (start, words) = words(line, names);
    match words.as_slice() {
        [] => (line.to_owned(), words),
        [word] => (format!("{}{word} ", &line[..start]), Vec::new()),
        [first, rest @ ..] => {
            let common = rest.iter().fold(first.as_str(), |common, word| {
                let same = common
                    .char_indices()
                    .zip(word.chars())
                    .take_while(|((_, a), b)| a == b)
                    .map(|((at, a), _)| at + a.len_utf8())
                    .last();
                &common[..same.unwrap_or(0)]
            });
            let longer = if common.len() > line.len() - start { format!("{}{common}", &line[..start]) } else { line.to_owned() };
            (longer, words)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Two;

    impl Names for Two {
        fn names(&self, of: &Candidates) -> Vec<String> {
            match of {
                Candidates::Projects => ["demo-one", "demo-two", "evil\x1b[2J"].map(str::to_owned).to_vec(),
                _ => Vec::new(),
            }
        }
    }

    #[test]
    fn completes_as_far_as_it_is_clear() {
        assert_eq!(line("/proj", &Two), ("/project ".to_owned(), vec![]));
        assert_eq!(line("/ask d", &Two), ("/ask demo-".to_owned(), vec!["demo-one".to_owned(), "demo-two".to_owned()]));
        assert_eq!(line("/ask demo-t", &Two), ("/ask demo-two ".to_owned(), vec![]));
        assert_eq!(line("/ask x", &Two), ("/ask x".to_owned(), vec![]));
        assert_eq!(line("hello", &Two), ("hello".to_owned(), vec![]));
    }
}
