//! Files that a command writes: whole, or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::exit::Failure;

/// A file to write, opened before the work begins so that a bad name fails early.
pub(crate) struct Target {
    /// As the user calls it.
    name: PathBuf,
    sink: Sink,
}

enum Sink {
    /// `-`.
    Stdout,
    /// A pipe or device.
    Stream(File),
    /// A regular file, replaced once all is written.
    File(Draft),
}

/// A file beside `path` that takes its name once it is whole, and vanishes otherwise.
struct Draft {
    path: PathBuf,
    draft: PathBuf,
    file: File,
}

impl Target {
    pub(crate) fn open(name: &Path) -> Result<Self, Failure> {
        let sink = if name == Path::new("-") { Ok(Sink::Stdout) } else { open(name) };
        let sink = sink.map_err(|why| Failure::file("write", name, &why))?;
        Ok(Self { name: name.to_owned(), sink })
    }

    /// Writes what `content` writes.
    pub(crate) fn write(self, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
        let written = match self.sink {
            Sink::Stdout => write_to(io::stdout().lock(), content),
            Sink::Stream(file) => write_to(file, content),
            Sink::File(draft) => write_to(&draft.file, content).and_then(|()| draft.publish()),
        };
        match written {
            Err(why) if why.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::file("write", &self.name, &why))
            }
            _ => Ok(()),
        }
    }
}

fn open(name: &Path) -> io::Result<Sink> {
    let existing = fs::metadata(name).ok();
    if existing.as_ref().is_some_and(|existing| !existing.is_file() && !existing.is_dir()) {
        return OpenOptions::new().write(true).open(name).map(Sink::Stream);
    }
    if existing.as_ref().is_some_and(fs::Metadata::is_dir) {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory"));
    }
    let path = fs::canonicalize(name).unwrap_or_else(|_| name.to_owned());
    let file_name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let draft = path.with_file_name(format!(".{file_name}.{}", std::process::id()));
    let file = OpenOptions::new().write(true).create_new(true).open(&draft)?;
    let draft = Draft { path, draft, file };
    if let Some(existing) = existing {
        if existing.permissions().readonly() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        draft.file.set_permissions(existing.permissions())?;
    }
    Ok(Sink::File(draft))
}

fn write_to(out: impl Write, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    content(&mut out)?;
    out.flush()
}

impl Draft {
    fn publish(&self) -> io::Result<()> {
        fs::rename(&self.draft, &self.path)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Gone already once it is published.
        let _ = fs::remove_file(&self.draft);
    }
}
