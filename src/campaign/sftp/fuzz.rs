//! Fuzz targets of this layer: what a server calls its files, and the file of
//! the keys that servers may show.
#![allow(clippy::panic, clippy::unwrap_used, reason = "what fails here is what is looked for")]

use std::path::Path;
use std::sync::LazyLock;

use russh::keys::{PublicKey, parse_public_key_base64};
use russh_sftp::protocol::FileAttributes;

use super::known_hosts::{HostKeyError, KnownHosts};
use super::session::Listing;
use crate::fuzz::{first_line, quiet};
use crate::model::Pattern;

/// The key that the server shows here.
const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

static SHOWN: LazyLock<PublicKey> = LazyLock::new(|| parse_public_key_base64(KEY).unwrap());

/// A pattern in the first line, the name of a file in the rest: a name that is
/// used leads to a file of the directory and to nothing else.
pub(crate) fn names(data: &[u8]) {
    let (pattern, name) = first_line(data);
    let name = String::from_utf8_lossy(name);
    let mut listing = Listing::default();
    listing.add(name.clone().into_owned(), &FileAttributes::empty());
    assert!(listing.files.len() + listing.unsafe_names.len() <= 1);
    for file in &listing.files {
        let name = file.name.as_str();
        assert!(
            name.len() <= 255 && !name.contains(['/', '\0']) && !name.contains(char::is_control)
        );
        let path = Path::new("/exports").join(name);
        assert_eq!(path.parent(), Some(Path::new("/exports")), "{name:?}");
        assert_eq!(path.file_name().and_then(|name| name.to_str()), Some(name));
    }
    for told in &listing.unsafe_names {
        assert!(told.chars().count() <= 80 && !told.contains(char::is_control), "{told:?}");
    }
    let Ok(pattern) = std::str::from_utf8(pattern) else { return };
    let Ok(pattern) = Pattern::new(pattern) else { return };
    let whole = name.chars().take(300).collect::<String>();
    let plain = whole.strip_suffix(".gz").is_some_and(|name| shell(pattern.as_str(), name));
    assert_eq!(pattern.matches(&whole), shell(pattern.as_str(), &whole) || plain);
}

/// What a pattern means, in the plainest way: all lengths of all stars.
fn shell(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for wanted in pattern {
        let mut next = vec![false; name.len() + 1];
        for at in 0..=name.len() {
            match wanted {
                '*' => next[at] = reached[at] || (at > 0 && next[at - 1]),
                _ if at == 0 => {}
                _ => next[at] = reached[at - 1] && (wanted == '?' || wanted == name[at - 1]),
            }
        }
        reached = next;
    }
    reached[name.len()]
}

/// `known_hosts`: no server is trusted whose key the file does not hold.
pub(crate) fn known_hosts(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let path = Path::new("known_hosts");
    for port in [22, 2222] {
        let known = match KnownHosts::parse(&text, path, "files.example.com", port) {
            Ok(known) => known,
            Err(error) => {
                assert!(matches!(error, HostKeyError::NoKey { .. }));
                quiet(&error);
                continue;
            }
        };
        let lines = || text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        let holds = lines().any(|line| line.contains(&KEY[..KEY.len() - 1]));
        match known.judge(&SHOWN) {
            Ok(()) => {
                assert!(holds, "{text:?}");
                assert!(!known.algorithms().is_empty());
                // A revoked key is refused, wherever that stands.
                let revoked = format!("{text}\n@revoked * ssh-ed25519 {KEY}\n");
                let known = KnownHosts::parse(&revoked, path, "files.example.com", port).unwrap();
                assert!(matches!(known.judge(&SHOWN), Err(HostKeyError::Revoked { .. })));
            }
            Err(error) => {
                quiet(&error);
                assert!(holds || !matches!(error, HostKeyError::Revoked { .. }));
            }
        }
    }
}
