//! The file as a table. Knows no key.
//!
//! Invariant: a fault tells line and column and never shows the line, since it may hold a secret.

use std::io::Read as _;
use std::path::Path;

use toml::Table;
use toml::de::DeTable;

use super::Fault;

/// More is no configuration.
const MOST: u64 = 1024 * 1024;
/// One forgotten quote is enough.
const MOST_FAULTS: usize = 10;

pub struct File {
    pub name: String,
    pub table: Table,
    /// Everybody on the machine may read it.
    pub open: bool,
}

pub fn read(path: &Path) -> Result<File, Vec<Fault>> {
    let name = path.display().to_string();
    let fault = |what: String, fix: &str| Fault { key: name.clone(), what, fix: fix.into() };
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(path).and_then(|file| {
        let open = readable_by_all(&file);
        file.take(MOST + 1).read_to_end(&mut bytes)?;
        Ok(open)
    });
    let open = opened
        .map_err(|error| vec![fault(format!("cannot be read ({error})"), "name a file that there is and that you may read")])?;
    if bytes.len() as u64 > MOST {
        return Err(vec![fault("is larger than 1 MiB".into(), "name a configuration file")]);
    }
    let text = String::from_utf8(bytes).map_err(|_| vec![fault("is not in UTF-8".into(), "save it as UTF-8 text")])?;
    match parse(&text) {
        Ok(table) => Ok(File { name, table, open }),
        Err(places) => Err(places
            .into_iter()
            .map(|(place, what)| fault(format!("{place}: {what}"), "write it as TOML 1.0 has it"))
            .collect()),
    }
}

/// All faults of the syntax, one a line, with their places.
fn parse(text: &str) -> Result<Table, Vec<(String, String)>> {
    let (_, errors) = DeTable::parse_recoverable(text);
    let mut faults: Vec<((usize, usize), String)> =
        errors.iter().map(|error| (place(text, error.span().map_or(0, |s| s.start)), error.message().to_owned())).collect();
    if faults.is_empty() {
        match text.parse() {
            Ok(table) => return Ok(table),
            Err(error) => faults.push(((1, 1), error.message().to_owned())),
        }
    }
    faults.sort();
    faults.dedup_by_key(|((line, _), _)| *line);
    faults.truncate(MOST_FAULTS);
    let shown = |((line, column), what)| (format!("line {line}, column {column}"), what);
    Err(faults.into_iter().map(shown).collect())
}

/// Line and column, both from 1.
fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..byte.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let begin = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    (line, String::from_utf8_lossy(&before[begin..]).chars().count() + 1)
}

#[cfg(unix)]
fn readable_by_all(file: &std::fs::File) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|about| about.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn readable_by_all(_: &std::fs::File) -> bool {
    false
}
