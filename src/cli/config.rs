//! Reading the configuration for a command.

use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, load, read};
use crate::model::Flow;

use super::args::{FlowName, Global};
use super::exit::{End, Exit};
use super::output::{colour, many};

/// Reads and checks the file; all problems at once, with the lines they are
/// in.
pub(super) fn config(global: &Global) -> Result<Config, End> {
    let text = read(&global.config)?;
    load(&text).map_err(|problems| {
        let path = global.config.display().to_string();
        let found = many(problems.len() as u64, "problem");
        End::new(
            Exit::Usage,
            format!(
                "{found} in the configuration\n\n{}",
                problems.render(&text, &path, colour(&std::io::stderr()))
            ),
        )
    })
}

/// The configured systems; contacts nobody.
pub(super) fn app(global: &Global, clock: &Clock) -> Result<App, End> {
    Ok(App::new(config(global)?, clock.clone())?)
}

/// The flows that a command names, in the order in which they run; all that are
/// switched on, if it names none. One that is not, or none at all, would do
/// nothing and look like success.
pub(super) fn flows(config: &Config, named: &[FlowName]) -> Result<Vec<Flow>, End> {
    let named: Vec<Flow> = named.iter().map(|name| Flow::from(*name)).collect();
    if let Some(off) = named.iter().find(|flow| !config.has(**flow)) {
        return match off {
            Flow::Ingress => Err(no_ingress()),
            Flow::Optout => Err(End::new(
                Exit::Usage,
                "the flow `optout` is not configured; add `[optout]` with a `direction` other than `disabled`, and `pairs`",
            )),
            Flow::Egress => Err(End::new(
                Exit::Usage,
                "the flow `egress` is not configured; add `[egress]` with `events`, such as `events = [\"send\"]`, and `[egress.journal]`",
            )),
        };
    }
    let flows: Vec<Flow> = config
        .flows()
        .into_iter()
        .filter(|flow| named.is_empty() || named.contains(flow))
        .collect();
    if flows.is_empty() { Err(no_ingress()) } else { Ok(flows) }
}

/// What works on tables only needs one.
pub(super) fn needs_ingress(config: &Config) -> Result<(), End> {
    if config.ingress.is_some() {
        return Ok(());
    }
    Err(no_ingress())
}

fn no_ingress() -> End {
    End::new(
        Exit::Usage,
        "no flow is configured; add `[ingress]` with at least one `[[ingress.table]]`",
    )
}
