//! Files of failing cases. Nothing is overwritten.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The longest name that a file gets from a property.
const LONGEST_NAME: usize = 60;

/// The folder `natbed` in the target folder of the test that runs: cargo marks that one.
pub(super) fn default_folder() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    let target = test.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    target.unwrap_or(Path::new("target")).join("natbed")
}

/// Writes `content` into a file of its own, called by `title`, and returns its path. A file that has this content
/// already is that file; where another has the name, a number is added.
pub(super) fn write_new(folder: &Path, title: &str, extension: &str, content: &[u8]) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let stem = stem(title);
    for number in 1.. {
        let name = if number == 1 { stem.clone() } else { format!("{stem}-{number}") };
        let path = folder.join(format!("{name}.{extension}"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => return file.write_all(content).map(|()| path),
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {
                if fs::read(&path).is_ok_and(|there| there == content) {
                    return Ok(path);
                }
            }
            Err(why) => return Err(why),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// `title` in lower case with hyphens for all that is neither letter nor digit.
fn stem(title: &str) -> String {
    let title = title.replace('\'', "");
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut stem = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    stem.truncate(LONGEST_NAME);
    let stem = stem.trim_end_matches('-');
    if stem.is_empty() { "case".to_owned() } else { stem.to_owned() }
}
