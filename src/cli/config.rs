//! Reading the configuration for a command.

use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, load, read};

use super::args::Global;
use super::exit::{End, Exit};
use super::output::colour;

/// Reads and checks the file; all problems at once, with the lines they are
/// in.
pub(super) fn config(global: &Global) -> Result<Config, End> {
    let text = read(&global.config)?;
    load(&text).map_err(|problems| {
        let path = global.config.display().to_string();
        let count = problems.len();
        let noun = if count == 1 { "problem" } else { "problems" };
        End::new(
            Exit::Usage,
            format!(
                "{count} {noun} in the configuration\n\n{}",
                problems.render(&text, &path, colour())
            ),
        )
    })
}

/// The configured systems; contacts nobody.
pub(super) fn app(global: &Global, clock: &Clock) -> Result<App, End> {
    Ok(App::new(config(global)?, clock.clone())?)
}

/// A pass without a flow would do nothing and look like success.
pub(super) fn needs_ingress(config: &Config) -> Result<(), End> {
    if config.ingress.is_some() {
        return Ok(());
    }
    Err(End::new(
        Exit::Usage,
        "no flow is configured; add `[ingress]` with at least one `[[ingress.table]]`",
    ))
}
