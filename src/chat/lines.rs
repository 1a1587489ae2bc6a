//! The last lines of something long, as many as a message holds. Knows no surface.

use std::collections::VecDeque;

use super::quiet::Quiet;
use crate::model::clip;

/// Lines of a log or of a program's output, as many of the last as a message holds.
#[derive(Debug, Default)]
pub struct Lines {
    last: VecDeque<Quiet>,
    bytes: usize,
    /// All of them.
    pub count: usize,
}

impl Lines {
    const LONGEST: usize = 500;
    /// Escaping can make five of one.
    const BYTES: usize = 2_000;

    pub fn push(&mut self, text: &str) {
        for line in text.lines() {
            let line = clip(line, Self::LONGEST).replace("```", "` ` `");
            self.bytes += line.len() + 1;
            self.last.push_back(Quiet(line));
            self.count += 1;
            while self.bytes > Self::BYTES && self.last.len() > 1 {
                self.bytes -= self.last.pop_front().map_or(0, |line| line.0.len() + 1);
            }
        }
    }

    /// As code, in Markdown. `None`: there are none.
    pub fn shown(&self) -> Option<String> {
        let lines: Vec<&str> = self.last.iter().map(|line| line.0.as_str()).collect();
        (!lines.is_empty()).then(|| format!("```\n{}\n```", lines.join("\n")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept() {
        let mut lines = Lines::default();
        assert_eq!(lines.shown(), None);
        for n in 0..1_000 {
            lines.push(&format!("line {n} ```"));
        }
        let shown = lines.shown().unwrap();
        assert!(shown.len() < 2_100 && shown.ends_with("line 999 ` ` `\n```") && lines.count == 1_000, "{shown}");
    }
}
