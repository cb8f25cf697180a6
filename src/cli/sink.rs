//! Where a long answer goes piece by piece.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

use crate::daemon::Piece;

use super::exit::{End, Exit};
use super::output::{data, print};

/// Takes whole lines.
#[derive(Debug)]
pub(super) enum Sink {
    /// Printed here, as it is.
    Stdout,
    /// Printed here, for a person.
    Words,
    /// Into a file that only its owner may read.
    File(NewFile),
    /// To who asked over the control socket.
    Channel(mpsc::Sender<Piece>),
}

impl Sink {
    /// Stdout, for a program or for a person.
    pub(super) fn printed(is_data: bool) -> Self {
        if is_data { Self::Stdout } else { Self::Words }
    }

    /// A file that is not there yet.
    pub(super) fn file(path: &Path) -> Result<Self, End> {
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        match made {
            Ok(file) => Ok(Self::File(NewFile { file, path: path.to_owned(), whole: false })),
            Err(error) => {
                let remedy = if error.kind() == io::ErrorKind::AlreadyExists {
                    "; remove it, or name another"
                } else {
                    ""
                };
                let shown = path.display();
                Err(End::new(Exit::Usage, format!("{shown} cannot be made: {error}{remedy}")))
            }
        }
    }

    /// Writes lines; a missing line end is added.
    pub(super) async fn write(&mut self, text: String) -> io::Result<()> {
        match self {
            Self::Stdout => data(&text),
            Self::Words => print(&text),
            Self::File(out) => {
                out.file.write_all(text.as_bytes())?;
                if text.ends_with('\n') { Ok(()) } else { out.file.write_all(b"\n") }
            }
            Self::Channel(out) => {
                let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
                out.send(Piece::Data(text)).await.map_err(gone)
            }
        }
    }

    /// Everything is written.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::File(mut out) => {
                out.whole = true;
                out.file.sync_all()
            }
            Self::Stdout | Self::Words | Self::Channel(_) => Ok(()),
        }
    }
}

/// A file that is removed again unless it becomes whole.
#[derive(Debug)]
pub(super) struct NewFile {
    file: File,
    path: PathBuf,
    whole: bool,
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.whole {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
