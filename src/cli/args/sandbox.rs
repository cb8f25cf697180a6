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
    /// [default: 200, or none with --data]
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=2_000_000))]
    pub(in crate::cli) contacts: Option<u32>,
    /// Tables and resources of your own, as TOML or JSON; may be given several
    /// times
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) schema: Vec<PathBuf>,
    /// Rows from CSV or JSON: a file called as its table or resource, a folder
    /// of such files, or TABLE=FILE; may be given several times
    #[arg(long, value_name = "WHAT")]
    pub(in crate::cli) data: Vec<String>,
    /// Faults to play, as TOML or JSON
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) faults: Option<PathBuf>,
    /// Behave in another way where the vendors' documents leave it open; may be
    /// given several times
    #[arg(long, value_name = "NAME=VALUE")]
    pub(in crate::cli) variant: Vec<String>,
    /// Print the variants with what they take, and end
    #[arg(long)]
    pub(in crate::cli) list_variants: bool,
    /// Where each request is written as a line: a file, `-` for stderr, or
    /// `none`; as JSON with --log-format json [default: - on a terminal]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) log: Option<String>,
    /// Write a configuration that points here, with its secrets beside it
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) write_config: Option<PathBuf>,
    /// Overwrite the file of --write-config, and remove the store beside it,
    /// whoever wrote them
    #[arg(long, requires = "write_config")]
    pub(in crate::cli) force: bool,
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
