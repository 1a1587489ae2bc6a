//! Code fences, line by line: enough to know whether a line is code. Does not know the lists and quotes that it stands in.

/// An open fence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    pub indent: usize,
    mark: char,
    length: usize,
    /// What stands behind the marks.
    pub info: String,
}

impl Fence {
    /// The fence that a whole line opens.
    pub fn opened(line: &str) -> Option<Self> {
        let text = line.trim_start_matches(' ');
        let mark = text.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let length = text.chars().take_while(|c| *c == mark).count();
        let info = text[length..].trim();
        (length >= 3 && !(mark == '`' && info.contains('`'))).then(|| Self {
            indent: line.len() - text.len(),
            mark,
            length,
            info: info.to_owned(),
        })
    }

    pub fn is_closed_by(&self, line: &str) -> bool {
        let text = line.trim();
        text.chars().all(|c| c == self.mark) && text.len() >= self.length
    }

    /// The marks alone.
    pub fn marks(&self) -> String {
        std::iter::repeat_n(self.mark, self.length).collect()
    }

    /// The line that opens it anew.
    pub fn opening(&self) -> String {
        format!("{}{}\n", self.marks(), self.info)
    }
}
