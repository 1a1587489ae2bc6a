//! What was typed, for the next time: a file of its owner's, without anything that may hold a secret.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use gaggle_commands::{is_command, sensitive_name, sensitive_value};
use reedline::{FileBackedHistory, History, HistoryItem, HistoryItemId, HistorySessionId, Result, SearchQuery};

const LINES: usize = 1000;

pub struct Kept(FileBackedHistory);

impl Kept {
    /// Without a file that can be used, lines are remembered until the end of the program.
    pub fn open(file: &Path) -> Self {
        let made = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(file);
        let kept = made.ok().and_then(|_| FileBackedHistory::with_file(LINES, file.to_owned()).ok());
        Self(kept.or_else(|| FileBackedHistory::new(LINES).ok()).unwrap_or_default())
    }
}

impl History for Kept {
    fn save(&mut self, mut item: HistoryItem) -> Result<HistoryItem> {
        if !may_be_kept(&item.command_line) {
            item.command_line.clear();
        }
        let saved = self.0.save(item)?;
        // A program that is killed has kept its lines all the same.
        let _ = self.0.sync();
        Ok(saved)
    }

    fn load(&self, id: HistoryItemId) -> Result<HistoryItem> {
        self.0.load(id)
    }

    fn count(&self, query: SearchQuery) -> Result<i64> {
        self.0.count(query)
    }

    fn search(&self, query: SearchQuery) -> Result<Vec<HistoryItem>> {
        self.0.search(query)
    }

    fn update(&mut self, id: HistoryItemId, updater: &dyn Fn(HistoryItem) -> HistoryItem) -> Result<()> {
        self.0.update(id, updater)
    }

    fn clear(&mut self) -> Result<()> {
        self.0.clear()
    }

    fn delete(&mut self, id: HistoryItemId) -> Result<()> {
        self.0.delete(id)
    }

    fn sync(&mut self) -> std::io::Result<()> {
        self.0.sync()
    }

    fn session(&self) -> Option<HistorySessionId> {
        self.0.session()
    }
}

/// Whether a line is none of those that are refused because they hold a secret, and nothing in it looks like one.
pub fn may_be_kept(line: &str) -> bool {
    let mut first = line.split_whitespace().take(4).map(|word| word.trim_start_matches('/'));
    if is_command(line) && first.any(|word| word.eq_ignore_ascii_case("secret")) {
        return false;
    }
    let parts = |word: &str| word.split(['=', ':', ',', '"', '\'', '`', '—']).any(sensitive_value);
    let pair = |word: &str| {
        word.split_once('=').is_some_and(|(name, value)| !value.is_empty() && sensitive_name(name.trim_start_matches('-')))
    };
    !line.split_whitespace().any(|word| sensitive_value(word) || parts(word) || pair(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_kept() {
        for line in [
            "/secret set KEY hunter2",
            "  /project  secret set demo KEY hunter2",
            "/project create x --env API_KEY=hunter2",
            "use ghp_0123456789abcdef0123456789abcdef0123 please",
            "/ask demo the key is \"sk-0123456789abcdef0123456789\"",
        ] {
            assert!(!may_be_kept(line), "{line}");
        }
        for line in ["/project create demo", "/ask demo tell me a secret", "what is a=b", "keep it secret"] {
            assert!(may_be_kept(line), "{line}");
        }
    }

    #[test]
    fn the_file_is_its_owners_and_holds_what_may_be_kept() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("history");
        let mut kept = Kept::open(&file);
        for line in ["one", "/secret set K hunter2", "two"] {
            kept.save(HistoryItem::from_command_line(line)).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "one\ntwo\n");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        for n in 0..1100 {
            kept.save(HistoryItem::from_command_line(format!("line {n}"))).unwrap();
        }
        assert!(std::fs::read_to_string(&file).unwrap().lines().count() <= LINES);
    }
}
