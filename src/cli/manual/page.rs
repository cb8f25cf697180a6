//! One man page, from the arguments of a command: `man(7)`, in ASCII.

use clap::{Arg, ArgAction, Command};

use super::roff::{Roff, bold, italic, plain};
use super::words::{ENVIRONMENT, FILES, SEE_ALSO};
use crate::cli::exit::{EXIT_CODES, Exit};

/// The whole page. `command` is built; `others` are the pages of the commands
/// above and below it; `date` as in `2026-11-21`.
pub(super) fn page(command: &Command, others: &[String], date: &str) -> String {
    let name = name(command);
    let mut out = Roff::new(&name, date);
    out.section("NAME");
    out.line(&format!("{} \\- {}", plain(&name), plain(&about(command))));
    out.section("SYNOPSIS");
    synopsis(command, &mut out);
    out.section("DESCRIPTION");
    out.text(&format!("{}.", about(command)));
    let (global, own): (Vec<&Arg>, Vec<&Arg>) =
        shown(command).partition(|arg| arg.get_help_heading().is_some());
    out.section("OPTIONS");
    for arg in own {
        option(arg, &mut out);
    }
    out.section("GLOBAL OPTIONS");
    for arg in global {
        option(arg, &mut out);
    }
    commands(command, &mut out);
    if let Some(more) = command.get_after_help() {
        further(&more.to_string(), &mut out);
    }
    out.section("EXIT STATUS");
    for exit in Exit::ALL {
        out.item(&bold(&(exit as u8).to_string()));
        out.text(&format!("{}.", exit.told()));
    }
    words(command, &mut out);
    out.section("SEE ALSO");
    let known = others.iter().map(|page| (page.as_str(), 1)).chain(SEE_ALSO.iter().copied());
    let known: Vec<String> =
        known.map(|(page, section)| format!("{}({section})", bold(page))).collect();
    out.line(&known.join(",\n"));
    out.paragraph();
    out.text("The documents lie in /usr/share/doc/cdsync.");
    out.end()
}

/// `cdsync-dead-letters-list`
pub(super) fn name(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

/// Commands below that have a page.
pub(super) fn below(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help")
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn shown(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| !arg.is_hide_set())
}

/// `--table NAME`
fn call(arg: &Arg) -> String {
    let long = arg.get_long().map(|long| bold(&format!("--{long}")));
    let values: Vec<String> = if arg.get_action().takes_values() {
        arg.get_value_names().unwrap_or_default().iter().map(|name| italic(name)).collect()
    } else {
        Vec::new()
    };
    long.into_iter().chain(values).collect::<Vec<_>>().join(" ")
}

fn is_repeated(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
        || arg.get_num_args().is_some_and(|number| number.max_values() > 1)
}

fn synopsis(command: &Command, out: &mut Roff) {
    let mut parts = vec![bold(command.get_bin_name().unwrap_or_else(|| command.get_name()))];
    let is_asked = |arg: &&Arg| !matches!(arg.get_action(), ArgAction::Help | ArgAction::Version);
    let (places, options): (Vec<&Arg>, Vec<&Arg>) =
        shown(command).filter(is_asked).partition(|arg| arg.is_positional());
    for arg in options.into_iter().chain(places) {
        let repeated = if is_repeated(arg) { " ..." } else { "" };
        let call = call(arg);
        parts.push(if arg.is_required_set() {
            format!("{call}{repeated}")
        } else {
            format!("[{call}]{repeated}")
        });
    }
    if below(command).next().is_some() {
        parts.push(format!("{} ...", italic("COMMAND")));
    }
    out.line(&parts.join(" "));
}

fn option(arg: &Arg, out: &mut Roff) {
    let short = arg.get_short().map(|short| format!("{}, ", bold(&format!("-{short}"))));
    out.item(&format!("{}{}", short.unwrap_or_default(), call(arg)));
    let mut text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    if !text.ends_with(['.', ']']) {
        text.push('.');
    }
    if arg.get_action().takes_values() {
        let list = |values: Vec<&str>| values.join(", ");
        let values = arg.get_possible_values();
        let values: Vec<&str> = values.iter().map(clap::builder::PossibleValue::get_name).collect();
        if !values.is_empty() {
            text.push_str(&format!(" One of {}.", list(values)));
        }
        let defaults: Vec<&str> =
            arg.get_default_values().iter().filter_map(|it| it.to_str()).collect();
        if !defaults.is_empty() {
            text.push_str(&format!(" Default: {}.", list(defaults)));
        }
        if let Some(variable) = arg.get_env().and_then(|it| it.to_str()) {
            text.push_str(&format!(" In place of it: the variable {variable}."));
        }
    }
    out.text(&text);
}

fn commands(command: &Command, out: &mut Roff) {
    if below(command).next().is_none() {
        return;
    }
    out.section("COMMANDS");
    for one in below(command) {
        out.item(&format!("{}(1)", bold(&name(one))));
        out.text(&format!("{}.", about(one)));
    }
}

/// What stands below the options in the help: paragraphs, and examples under
/// their heading. The exit codes have a section of their own.
fn further(text: &str, out: &mut Roff) {
    let mut is_open = false;
    for paragraph in text.split("\n\n").filter(|it| !it.starts_with(EXIT_CODES)) {
        if let Some(examples) = paragraph.strip_prefix("Examples:\n") {
            out.section("EXAMPLES");
            out.literal(true);
            examples.lines().for_each(|line| out.text(line.trim_start()));
            out.literal(false);
            is_open = false;
            continue;
        }
        if std::mem::replace(&mut is_open, true) {
            out.paragraph();
        } else {
            out.section("NOTES");
        }
        paragraph.lines().for_each(|line| out.text(line));
    }
}

/// Environment and files: all of them on the pages of the program and of the
/// daemon, on the others what each command reads.
fn words(command: &Command, out: &mut Roff) {
    let page = name(command);
    let all = page == "cdsync" || page == "cdsync-run";
    for (heading, entries) in [("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)] {
        out.section(heading);
        for entry in entries.iter().filter(|entry| all || entry.always) {
            out.item(&bold(entry.name));
            out.text(entry.text);
        }
        if !all {
            out.paragraph();
            out.line(&format!("More: {}(1).", bold("cdsync")));
        }
    }
}
