//! The directory and the files of the store before SQLite has them open: made
//! narrow, for the right owner, and never touched afterwards.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// The directory that a file lies in.
pub(super) fn directory(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Makes the directory (0700), where there is none.
pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    let directory = directory(path);
    if directory.exists() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// Opens a file to read and write; makes it (0600), where there is none. What root
/// makes in the directory of another user is that user's: the service must be able
/// to use what an administrator's command left. A file that was there stays whose
/// it is; a link that was there is nobody's to give away.
pub(super) fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            let (made, home) = (file.metadata()?, directory(path).metadata()?);
            if made.uid() == 0 && home.uid() != 0 {
                fchown(&file, Some(home.uid()), Some(home.gid()))?;
            }
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.open(path),
        Err(error) => Err(error),
    }
}

/// Takes an existing file's permissions from all but its owner; a device's are
/// everybody's matter. Opens nothing: see `open_file`.
pub(super) fn narrow(path: &Path) -> io::Result<()> {
    let found = std::fs::metadata(path)?;
    if found.is_file() && found.permissions().mode() & 0o077 != 0 {
        std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// What the machine said, and what to do about it.
pub(super) fn in_words(error: &io::Error) -> String {
    let kind = error.kind();
    let remedy = if matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        "; make room on that file system"
    } else if kind == io::ErrorKind::ReadOnlyFilesystem {
        "; mount that file system writable, or name another place in [store] path"
    } else if kind == io::ErrorKind::PermissionDenied {
        "; the file and its directory must be writable for the user that runs cdsync"
    } else {
        ""
    };
    format!("{error}{remedy}")
}
