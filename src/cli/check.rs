//! `check`: the file first, then both systems.

use jiff::Zoned;
use serde_json::{Map, Value, json};

use crate::app::{App, Finding, FindingKind, budget_findings, check, guardrails, secret_findings};
use crate::clock::Clock;
use crate::config::{Config, load, next_runs, read};

use super::args::{Check, Cli};
use super::exit::{End, Exit};
use super::output::{colour, data, many, print, print_json, say};
use super::progress::Progress;

/// Runs the command.
pub(super) async fn run(cli: &Cli, arguments: &Check, clock: &Clock) -> Result<Exit, End> {
    let progress = Progress::start(&cli.global)?;
    let text = read(&cli.global.config)?;
    let as_json = arguments.json.json;
    let config = match load(&text) {
        Ok(config) => config,
        Err(problems) => {
            if as_json {
                let problems: Vec<Value> = problems
                    .iter()
                    .map(|problem| {
                        json!({
                            "where": problem.place, "line": problem.line,
                            "severity": "error", "column": problem.column, "problem": problem.problem,
                            "hint": problem.hint,
                        })
                    })
                    .collect();
                print_json(&json!({ "problems": problems }))?;
            } else {
                let path = cli.global.config.display().to_string();
                data(&problems.render(&text, &path, colour(&std::io::stdout())))?;
                say(&to_mend(problems.len()));
            }
            return Ok(Exit::Usage);
        }
    };
    let secrets = secret_findings(&config, arguments.offline);
    if !secrets.is_empty() {
        return unfit(&secrets, as_json);
    }
    if arguments.offline {
        return report(&config, &[], as_json, clock);
    }
    let app = App::new(config, clock.clone())?;
    progress.step("asking both systems");
    let findings = check(&app).await;
    progress.end();
    report(&app.config, &findings, as_json, clock)
}

/// Secrets that cannot be used: nobody is asked.
fn unfit(secrets: &[Finding], as_json: bool) -> Result<Exit, End> {
    if as_json {
        print_json(&json!({ "problems": as_list(&secrets.iter().collect::<Vec<_>>()) }))?;
    } else {
        data(&secrets.iter().map(told).collect::<String>())?;
        say(&to_mend(secrets.len()));
    }
    Ok(Exit::Usage)
}

fn told(finding: &Finding) -> String {
    let hint = if finding.hint.is_empty() { "" } else { "  → " };
    let end = if hint.is_empty() { "" } else { "\n" };
    format!("{}: {}\n{hint}{}{end}", finding.place, finding.problem, finding.hint)
}

fn report(
    config: &Config,
    findings: &[Finding],
    as_json: bool,
    clock: &Clock,
) -> Result<Exit, End> {
    let tables = config.ingress.as_ref().map_or(&[][..], |ingress| &ingress.tables);
    let mut own = guardrails(tables);
    own.extend(budget_findings(config));
    let (mut problems, mut warnings, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for finding in findings.iter().chain(&own) {
        match finding.kind {
            FindingKind::Refused | FindingKind::Problem => problems.push(finding),
            FindingKind::Warning => warnings.push(finding),
            FindingKind::Note => notes.push(finding),
        }
    }
    let runs = next_runs(config, clock.now());
    if as_json {
        let schedules: Map<String, Value> = runs
            .iter()
            .map(|(flow, times)| {
                let times = times.iter().map(|at| at.timestamp().to_string());
                (flow.to_string(), times.collect::<Vec<_>>().into())
            })
            .collect();
        print_json(&json!({
            "problems": as_list(&problems),
            "warnings": as_list(&warnings),
            "notes": as_list(&notes),
            "next_runs": schedules,
        }))?;
    } else {
        let mut out = String::new();
        for finding in &problems {
            out.push_str(&told(finding));
        }
        for finding in &warnings {
            out.push_str(&format!("warning: {}: {}\n", finding.place, finding.problem));
            out.push_str(&format!("  → {}\n", finding.hint));
        }
        for finding in &notes {
            out.push_str(&format!("note: {}: {}\n", finding.place, finding.problem));
        }
        for (flow, times) in &runs {
            out.push_str(&format!("next runs of {flow}: {}\n", when(times)));
        }
        out.push_str(&to_mend(problems.len()));
        print(&out)?;
    }
    Ok(if problems.is_empty() {
        Exit::Done
    } else if problems.iter().all(|finding| finding.kind == FindingKind::Refused) {
        Exit::Refused
    } else {
        Exit::Incomplete
    })
}

/// Times with their offset, and the zone that they are of.
fn when(times: &[Zoned]) -> String {
    let shown = |at: &Zoned| at.strftime("%Y-%m-%d %H:%M:%S%:z").to_string();
    let zone = times.first().and_then(|at| at.time_zone().iana_name()).unwrap_or("UTC");
    if zone == "UTC" {
        let shown = |at: &Zoned| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        return times.iter().map(shown).collect::<Vec<_>>().join(", ");
    }
    format!("{} ({zone})", times.iter().map(shown).collect::<Vec<_>>().join(", "))
}

fn to_mend(problems: usize) -> String {
    match problems {
        0 => "all is well".to_owned(),
        some => format!("{} to mend", many(some as u64, "problem")),
    }
}

fn as_list(findings: &[&Finding]) -> Value {
    let one = |finding: &&Finding| {
        let severity = match finding.kind {
            FindingKind::Refused | FindingKind::Problem => "error",
            FindingKind::Warning => "warning",
            FindingKind::Note => "note",
        };
        json!({
            "where": finding.place, "line": Value::Null, "severity": severity,
            "problem": finding.problem, "hint": finding.hint,
        })
    };
    findings.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_told_in_the_time_of_their_schedule() {
        let zoned = |text: &str, zone: &str| -> Zoned {
            text.parse::<jiff::Timestamp>().unwrap().in_tz(zone).unwrap()
        };
        // The clocks go back in the night between the two.
        let times = ["2026-10-24T05:00:00Z", "2026-10-25T06:00:00Z"];
        let local = times.map(|at| zoned(at, "Europe/Berlin"));
        let told = "2026-10-24 07:00:00+02:00, 2026-10-25 07:00:00+01:00 (Europe/Berlin)";
        assert_eq!(when(&local), told);
        let utc = [zoned(times[0], "UTC")];
        assert_eq!(when(&utc), "2026-10-24 05:00:00Z");
    }
}
