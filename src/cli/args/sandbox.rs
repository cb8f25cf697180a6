//! The arguments of `sandbox`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

/// `sandbox`
#[derive(Debug, Args)]
pub(in crate::cli) struct Sandbox {
    /// Address to listen on; loopback only
    #[arg(long, default_value = "127.0.0.1:8700", value_name = "ADDRESS")]
    pub(in crate::cli) listen: SocketAddr,
    /// Seed of the data
    #[arg(long, default_value_t = 1)]
    pub(in crate::cli) seed: u64,
    /// Contacts to begin with; a vehicle for four, a service visit for two
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(0..=2_000_000))]
    pub(in crate::cli) contacts: u32,
    /// Faults to play, as a TOML file; the library's page on `sandbox` explains it
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) faults: Option<PathBuf>,
    /// Write a configuration that points here, with its secrets beside it
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) write_config: Option<PathBuf>,
    /// E-mails to each contact, with what came of them in the journal and in log
    /// files
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub(in crate::cli) mailings: u32,
    /// Address of the SFTP server; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(in crate::cli) listen_sftp: SocketAddr,
    /// Leave out the activity tables of mail events, for `provision` to create
    #[arg(long)]
    pub(in crate::cli) without_activity_tables: bool,
    /// Speak TLS too, on the same port; FILE receives the certificate to trust
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) tls: Option<PathBuf>,
}
