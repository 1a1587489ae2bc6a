//! Several files as one: a gzipped tar. The same files give the same bytes.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::error::Result;

/// The files in a folder.
pub fn tar_gz<'a>(folder: &str, files: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        tar.append_data(&mut header, format!("{folder}/{path}"), content.as_bytes())?;
    }
    let mut whole = tar.into_inner()?;
    whole.flush()?;
    Ok(whole.finish()?)
}
