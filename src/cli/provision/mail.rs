//! `provision` of the activity tables: what was there, what was made.

use serde_json::{Value, json};

use crate::app::{App, MailPlan, MailWish, OwnIds, Stepped};
use crate::cli::args::{Cli, Provision};
use crate::cli::config::app;
use crate::cli::exit::{End, Exit};
use crate::cli::explore::answer;
use crate::cli::output::{data, print_json, say};
use crate::cli::progress::Progress;
use crate::clock::Clock;

use super::{as_json, shown};

/// Longest unique name of a solution.
const LONGEST: usize = 65;

/// Makes what is missing, or shows it.
pub(super) async fn run(cli: &Cli, arguments: &Provision, clock: &Clock) -> Result<Exit, End> {
    let wish = wish(arguments)?;
    let progress = Progress::start(&cli.global)?;
    let app = app(&cli.global, clock)?;
    progress.step("looking at what is there");
    let plan = answer(clock, || app.dynamics.client().outage(), app.plan_mail_tables(&wish)).await;
    progress.end();
    let plan = plan?;
    let as_json = arguments.json.json;
    if arguments.dry_run {
        return dry_run(&plan, as_json);
    }
    let made = make(&app, &plan, &progress, as_json).await;
    progress.end();
    let mut wrong = plan.wrong.clone();
    if made? > 0 {
        progress.step("looking whether it is there");
        let left = app.confirm_mail_tables(&wish).await;
        progress.end();
        let left = left?;
        wrong = left.wrong;
        let unseen = left.steps.iter().map(|step| {
            format!("not to be seen yet: {}; look again with `cdsync check`", step.what)
        });
        wrong.extend(unseen);
    }
    report(&plan, &wrong, as_json)?;
    Ok(if wrong.is_empty() { Exit::Done } else { Exit::Incomplete })
}

fn wish(arguments: &Provision) -> Result<MailWish, End> {
    for (option, name) in
        [("--solution", Some(&arguments.solution)), ("--publisher", arguments.publisher.as_ref())]
    {
        let good = name.is_none_or(|name| {
            name.len() <= LONGEST
                && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        });
        if !good {
            return Err(End::new(
                Exit::Usage,
                format!(
                    "{option} is a unique name: letters, digits and `_`, at most {LONGEST}, no digit first"
                ),
            ));
        }
    }
    Ok(MailWish { publisher: arguments.publisher.clone(), solution: arguments.solution.clone() })
}

fn dry_run(plan: &MailPlan, json: bool) -> Result<Exit, End> {
    if json {
        print_json(&plan.steps.iter().map(|step| as_json(&step.request)).collect())?;
    } else {
        for step in &plan.steps {
            data(&shown(&step.request))?;
        }
    }
    for text in plan.wrong.iter().chain(&plan.advice) {
        say(text);
    }
    say(if plan.steps.is_empty() { "nothing to do" } else { "nothing was sent" });
    Ok(if plan.wrong.is_empty() { Exit::Done } else { Exit::Incomplete })
}

/// Sends the requests; how many there were.
async fn make(app: &App, plan: &MailPlan, progress: &Progress, quiet: bool) -> Result<usize, End> {
    let count = plan.steps.len();
    let mut ids = OwnIds::default();
    for (at, step) in plan.steps.iter().enumerate() {
        progress.step(&format!("{} of {count}: {}", at + 1, step.what));
        let sent = app.provision_step(step, &mut ids).await;
        progress.end();
        match sent {
            Ok(_) if quiet => {}
            Ok(Stepped::Done) => say(&format!("done: {}", step.what)),
            Ok(Stepped::There) => say(&format!("was there: {}", step.what)),
            Ok(Stepped::Refused) => say(&format!("not taken, and not needed: {}", step.what)),
            Err(failure) => {
                say(&format!(
                    "stopped at: {}; what was made stays, and the next run goes on from there",
                    step.what
                ));
                return Err(failure.into());
            }
        }
    }
    Ok(count)
}

fn report(plan: &MailPlan, wrong: &[String], as_json: bool) -> Result<(), End> {
    if as_json {
        let done: Vec<Value> = plan.steps.iter().map(|step| step.what.as_str().into()).collect();
        print_json(
            &json!({ "made": done, "present": plan.present, "problems": wrong, "advice": plan.advice }),
        )?;
        return Ok(());
    }
    for text in wrong.iter().chain(&plan.advice) {
        say(text);
    }
    if plan.steps.is_empty() {
        say(&format!("there already: {}; nothing to do", plan.present.join(", ")));
    } else if wrong.is_empty() {
        say("the activity tables are there and published");
    }
    Ok(())
}
