//! The program: parses, calls the command line, maps its end to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    cdsync::cli::run()
}
