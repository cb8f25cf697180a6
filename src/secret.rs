//! Secrets and URLs that may not leak: values without `Display` and without a
//! telling `Debug`, and where secrets are loaded from.
//!
//! Must not know what a secret is for. Imports nothing of the crate.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

/// Most bytes of a secret, the trailing newline included. A PEM key with its
/// certificate chain stays far below.
const MAX_SECRET_BYTES: usize = 64 * 1024;

/// Set by systemd for a unit with `LoadCredential=` or the like.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// A secret text. Zeroed when dropped; its `Debug` tells nothing.
#[derive(Clone)]
pub(crate) struct Secret(SecretString);

impl Secret {
    /// Takes a text over as a secret.
    pub(crate) fn new(text: &str) -> Self {
        Self(SecretString::from(text))
    }

    /// The text itself. For the request that needs it, and nothing else.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where a secret is to be found; never the text itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecretSource {
    /// A systemd credential: a file of this name in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
    /// An environment variable.
    Env(String),
    /// A file that only its owner may read.
    File(PathBuf),
}

/// As the configuration names it.
impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credential(name) => write!(f, "the systemd credential `{name}`"),
            Self::Env(name) => write!(f, "the environment variable `{name}`"),
            Self::File(path) => write!(f, "the file `{}`", path.display()),
        }
    }
}

/// Why a secret could not be loaded. Names the place and the remedy, never
/// the content.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    /// A credential's name that would leave the directory.
    #[error("`{0}` is not the name of a systemd credential: it is one file name, without `/`")]
    CredentialName(String),
    /// Not started by systemd with credentials.
    #[error(
        "{source_name} cannot be read: $CREDENTIALS_DIRECTORY is not set; start cdsync through its systemd unit with `LoadCredential=`, or name the secret by `env` or `file`"
    )]
    NoCredentialsDirectory {
        /// The source, as the configuration names it.
        source_name: String,
    },
    /// The variable is absent.
    #[error("{source_name} is not set; set it for the user that runs cdsync")]
    NotSet {
        /// The source, as the configuration names it.
        source_name: String,
    },
    /// The file is absent or closed to us.
    #[error("{source_name} cannot be read{}: {error}; {remedy}", from(source_name, path))]
    Unreadable {
        /// The source, as the configuration names it.
        source_name: String,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// A directory, a pipe, a device.
    #[error("{source_name} is not a regular file: `{}`", path.display())]
    NotAFile {
        /// The source, as the configuration names it.
        source_name: String,
        /// What was found there.
        path: PathBuf,
    },
    /// Others may read the file.
    #[error("{source_name} may be read by others (mode {mode:03o}); run `chmod 600 {}`", path.display())]
    ReadableByOthers {
        /// The source, as the configuration names it.
        source_name: String,
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Nothing but, at most, a newline.
    #[error("{source_name} is empty; write the secret into it")]
    Empty {
        /// The source, as the configuration names it.
        source_name: String,
    },
    /// More than [`MAX_SECRET_BYTES`].
    #[error("{source_name} is larger than 64 KiB, which no secret is; is it the right place?")]
    TooLarge {
        /// The source, as the configuration names it.
        source_name: String,
    },
    /// Not UTF-8.
    #[error(
        "{source_name} is not text (UTF-8); a binary key (DER, PKCS #12) must be converted to PEM"
    )]
    NotText {
        /// The source, as the configuration names it.
        source_name: String,
    },
}

/// Where a credential was looked for; a file's name says it already.
fn from(source_name: &str, path: &Path) -> String {
    let path = format!("`{}`", path.display());
    if source_name.contains(&path) { String::new() } else { format!(" from {path}") }
}

impl SecretError {
    /// Whether the place is there and unfit, whoever looks and wherever: not only
    /// out of reach from here.
    pub(crate) fn is_of_place(&self) -> bool {
        match self {
            Self::CredentialName(_)
            | Self::NotAFile { .. }
            | Self::ReadableByOthers { .. }
            | Self::Empty { .. }
            | Self::TooLarge { .. }
            | Self::NotText { .. } => true,
            Self::NoCredentialsDirectory { .. } | Self::NotSet { .. } | Self::Unreadable { .. } => {
                false
            }
        }
    }
}

impl SecretSource {
    /// Reads the secret from its place. Blocks on the file system.
    pub(crate) fn load(&self) -> Result<Secret, SecretError> {
        self.load_with(|name| std::env::var_os(name))
    }

    fn load_with(
        &self,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Secret, SecretError> {
        match self {
            Self::Env(name) => {
                let text = environment(name)
                    .ok_or_else(|| SecretError::NotSet { source_name: self.to_string() })?;
                self.accept(&Zeroizing::new(text.into_encoded_bytes()))
            }
            Self::Credential(name) => {
                if !is_credential_name(name) {
                    return Err(SecretError::CredentialName(name.clone()));
                }
                let directory = environment(CREDENTIALS_DIRECTORY).ok_or_else(|| {
                    SecretError::NoCredentialsDirectory { source_name: self.to_string() }
                })?;
                // systemd hands out 0400, or 0440 where an ACL is in force.
                self.read(
                    &Path::new(&directory).join(name),
                    0o007,
                    "name it in the unit with `LoadCredential=` or `LoadCredentialEncrypted=`",
                )
            }
            Self::File(path) => self.read(
                path,
                0o077,
                "create it, owned by the user that runs cdsync, with mode 600",
            ),
        }
    }

    fn read(
        &self,
        path: &Path,
        forbidden_mode: u32,
        remedy: &'static str,
    ) -> Result<Secret, SecretError> {
        let unreadable = |error: io::Error| SecretError::Unreadable {
            source_name: self.to_string(),
            path: path.to_owned(),
            remedy: if no_files_left(&error) { RAISE_LIMIT } else { remedy },
            error,
        };
        // Before opening: to open a pipe would wait for its writer.
        if !fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(SecretError::NotAFile {
                source_name: self.to_string(),
                path: path.to_owned(),
            });
        }
        let file = File::open(path).map_err(unreadable)?;
        // Of the open file: the path may name another one by now.
        let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
        if mode & forbidden_mode != 0 {
            return Err(SecretError::ReadableByOthers {
                source_name: self.to_string(),
                path: path.to_owned(),
                mode,
            });
        }
        // The whole capacity at once: a buffer that grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET_BYTES + 64));
        let limit = u64::try_from(MAX_SECRET_BYTES + 1).unwrap_or(u64::MAX);
        file.take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
        self.accept(&bytes)
    }

    fn accept(&self, bytes: &[u8]) -> Result<Secret, SecretError> {
        let source_name = self.to_string();
        if bytes.len() > MAX_SECRET_BYTES {
            return Err(SecretError::TooLarge { source_name });
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(SecretError::NotText { source_name });
        };
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return Err(SecretError::Empty { source_name });
        }
        Ok(Secret::new(text))
    }
}

/// What helps where the process, or the machine, may open no more files.
const RAISE_LIMIT: &str = "raise the limit of open files (`LimitNOFILE=` in the unit)";

/// Whether the file may well be there. The library has no name for these two.
fn no_files_left(error: &io::Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    matches!(error.raw_os_error(), Some(ENFILE | EMFILE))
}

/// Whether `name` is one file name in the credentials directory.
pub(crate) fn is_credential_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && name != "."
        && name != ".."
        && !name.contains(|c: char| c == '/' || c.is_control())
}

#[cfg(test)]
#[path = "secret_tests.rs"]
mod tests;
