//! What went wrong with the file server, in the terms of every other remote
//! call. No text of the server is repeated.

use std::io;

use russh_sftp::client::error::Error as SftpError;
use russh_sftp::protocol::StatusCode;

use super::known_hosts::HostKeyError;
use crate::http::{Failure, Outcome, System};

/// What can end a connection.
#[derive(Debug)]
pub(super) enum Problem {
    /// The server is not the one that is known.
    HostKey(HostKeyError),
    /// Anything else.
    Ssh(russh::Error),
}

impl From<russh::Error> for Problem {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

/// A failure with the server's name before it.
pub(super) fn failure(server: &str, outcome: Outcome, what: &str) -> Failure {
    Failure::ours(System::Campaign, outcome, format!("the SFTP server {server} {what}"))
}

/// The connection could not be made.
pub(super) fn not_connected(server: &str, problem: &Problem) -> Failure {
    match problem {
        Problem::HostKey(error) => {
            Failure::ours(System::Campaign, Outcome::Setup, error.to_string())
        }
        Problem::Ssh(russh::Error::NoCommonAlgo { kind, .. }) => failure(
            server,
            Outcome::Setup,
            &format!(
                "and this program have no {kind:?} algorithm in common; it needs a newer version"
            ),
        ),
        Problem::Ssh(error) => {
            let reason = if let russh::Error::IO(error) = error {
                in_words(error.kind())
            } else {
                "broke the connection off"
            };
            failure(
                server,
                Outcome::NotSent,
                &format!(
                    "cannot be reached: {reason}; check host, port and the server's list of allowed addresses"
                ),
            )
        }
    }
}

fn in_words(kind: io::ErrorKind) -> &'static str {
    const KNOWN: [(io::ErrorKind, &str); 6] = [
        (io::ErrorKind::ConnectionRefused, "nobody listens there"),
        (io::ErrorKind::TimedOut, "no answer in time"),
        (io::ErrorKind::ConnectionReset, "it broke the connection off"),
        (io::ErrorKind::UnexpectedEof, "it broke the connection off"),
        (io::ErrorKind::HostUnreachable, "there is no way to it"),
        (io::ErrorKind::NetworkUnreachable, "there is no way to it"),
    ];
    let known = KNOWN.iter().find(|(known, _)| *known == kind);
    known.map_or("its name cannot be resolved, or the network is down", |(_, words)| words)
}

/// A connection was lost in the middle of something.
pub(super) fn lost(server: &str) -> Failure {
    failure(server, Outcome::Unknown, "broke the connection off, or did not answer in time")
}

/// What a request about `what` ended with.
pub(super) fn refused(server: &str, what: &str, error: &SftpError) -> Failure {
    let SftpError::Status(status) = error else { return lost(server) };
    match status.status_code {
        StatusCode::NoSuchFile => {
            failure(server, Outcome::Missing, &format!("does not have {what}"))
        }
        StatusCode::PermissionDenied => failure(
            server,
            Outcome::Refused,
            &format!("does not let the user at {what}; folders need rights for the whole group"),
        ),
        StatusCode::NoConnection | StatusCode::ConnectionLost => lost(server),
        StatusCode::Ok
        | StatusCode::Eof
        | StatusCode::Failure
        | StatusCode::BadMessage
        | StatusCode::OpUnsupported => {
            let code = status.status_code;
            failure(server, Outcome::ServerError, &format!("failed at {what} ({code})"))
        }
    }
}
