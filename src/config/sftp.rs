//! `[campaign.sftp]`: the server that Campaign's exports lie on.

use std::path::PathBuf;

use super::tree::Node;
use super::values::{number_or, path, plain, secret};
use crate::secret::SecretSource;

const SFTP_KEYS: &[&str] = &["host", "port", "user", "private_key", "passphrase", "known_hosts"];

/// `[campaign.sftp]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SftpSettings {
    /// A name or an address.
    pub(crate) host: String,
    /// Usually 22.
    pub(crate) port: u16,
    /// As Campaign's Control Panel shows it.
    pub(crate) user: String,
    /// Where the private key is: OpenSSH's form or PEM.
    pub(crate) private_key: SecretSource,
    /// Where the key's passphrase is, if it has one.
    pub(crate) passphrase: Option<SecretSource>,
    /// The keys that the server may show.
    pub(crate) known_hosts: PathBuf,
}

/// `[campaign.sftp]`
pub(super) fn sftp(node: &Node<'_>) -> Option<SftpSettings> {
    let keys = node.keys(SFTP_KEYS)?;
    let host =
        keys.required("host", "host = \"contoso.campaign.adobe.com\"").and_then(|node| host(&node));
    let port = number_or(&keys, "port", 1..=65535, 22);
    let user = keys
        .required("user", "user = \"contoso-mkt-stage1\"")
        .and_then(|node| plain(&node, "the user that Campaign's Control Panel shows"));
    let private_key = keys
        .required("private_key", "private_key = { credential = \"campaign-sftp-key\" }")
        .and_then(|node| secret(&node));
    let passphrase = keys.get("passphrase").map(|node| secret(&node));
    let known_hosts =
        keys.required("known_hosts", "known_hosts = \"/etc/cdsync/known_hosts\"").and_then(
            |node| path(&node, "a file in the form of OpenSSH, as in `/etc/cdsync/known_hosts`"),
        );
    Some(SftpSettings {
        host: host?,
        port,
        user: user?,
        private_key: private_key?,
        passphrase: match passphrase {
            Some(passphrase) => Some(passphrase?),
            None => None,
        },
        known_hosts: known_hosts?,
    })
}

/// A host name or an address, without scheme, user and port.
fn host(node: &Node<'_>) -> Option<String> {
    let hint =
        "only the name, as in `contoso.campaign.adobe.com`; port and user have their own keys";
    let text = plain(node, hint)?;
    let text = text.trim_start_matches('[').trim_end_matches(']');
    let address = text.parse::<std::net::IpAddr>().is_ok();
    let name = text.len() <= 253
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'));
    if !address && !name {
        node.problem("this is not the name of a host", hint);
        return None;
    }
    Some(text.to_ascii_lowercase())
}
