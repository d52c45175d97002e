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
    /// Whether it may take the place of another.
    replace: bool,
}

impl Target {
    /// A file that replaces one that is there.
    pub(crate) fn open(name: &Path) -> Result<Self, Failure> {
        Self::new(name, true)
    }

    /// A file that is not there yet; a pipe or device may be.
    pub(crate) fn create(name: &Path) -> Result<Self, Failure> {
        Self::new(name, false)
    }

    fn new(name: &Path, replace: bool) -> Result<Self, Failure> {
        if !replace && fs::metadata(name).is_ok_and(|existing| existing.is_file()) {
            return Err(Failure::exists(name));
        }
        let sink = if name == Path::new("-") { Ok(Sink::Stdout) } else { open(name, replace) };
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
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => Err(Failure::exists(&self.name)),
            Err(why) if why.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::file("write", &self.name, &why))
            }
            _ => Ok(()),
        }
    }
}

fn open(name: &Path, replace: bool) -> io::Result<Sink> {
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
    let draft = Draft { path, draft, file, replace };
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
        if !self.replace {
            // A second name, unlike a new one, never replaces a file that has appeared since.
            match fs::hard_link(&self.draft, &self.path) {
                Ok(()) => return fs::remove_file(&self.draft),
                Err(why) if why.kind() == io::ErrorKind::AlreadyExists => return Err(why),
                // Not every file system has second names.
                Err(_) if self.path.exists() => return Err(io::ErrorKind::AlreadyExists.into()),
                Err(_) => {}
            }
        }
        fs::rename(&self.draft, &self.path)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Gone already once it is published.
        let _ = fs::remove_file(&self.draft);
    }
}
