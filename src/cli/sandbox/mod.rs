//! `sandbox`: the look-alike servers, until interrupted.

mod inputs;
mod requests;
mod written;

use crate::clock::Clock;
use crate::sandbox::{EventIds, LogForm, MailFact, Mailing, Sandbox, SandboxOptions, Variants};

use self::written::Target;
pub(super) use self::written::{LINKED, configuration, egress};
use super::args::{self, Cli, Format};
use super::exit::{End, Exit};
use super::output::{Align, many, print, say, table};
use super::sync::interrupted;

/// Contacts of a sandbox that loads no data of its own.
const CONTACTS: u32 = 200;

/// Runs the command.
pub(super) async fn run(cli: &Cli, arguments: &args::Sandbox, clock: &Clock) -> Result<Exit, End> {
    if arguments.list_variants {
        print(&list_variants())?;
        return Ok(Exit::Done);
    }
    let wanted = arguments.write_config.as_deref();
    let target = wanted.map(|file| Target::look(file, arguments.force)).transpose()?;
    let inputs = inputs::read(arguments)?;
    let usual = if inputs.data.is_empty() { CONTACTS } else { 0 };
    let sandbox = Sandbox::start(SandboxOptions {
        listen: arguments.listen,
        listen_sftp: arguments.listen_sftp,
        seed: arguments.seed,
        contacts: arguments.contacts.unwrap_or(usual) as usize,
        faults: inputs.faults.clone(),
        variants: inputs.variants,
        activity_tables: !arguments.without_activity_tables,
        tls: arguments.tls.is_some(),
    })
    .await
    .map_err(|error| {
        let (listen, sftp) = (arguments.listen, arguments.listen_sftp);
        End::new(
            Exit::Usage,
            format!("the sandbox cannot listen on {listen} and, for files, on {sftp}: {error}"),
        )
    })?;
    let loaded = inputs::load(&sandbox, &inputs)?;
    mailings(&sandbox, arguments);
    greet(&sandbox);
    tell_authority(&sandbox, arguments)?;
    for line in loaded {
        say(&line);
    }
    if let Some(target) = &target {
        configure(&sandbox, target, clock)?;
    }
    let interrupted = interrupted();
    say("Ctrl-C ends it; nothing is kept");
    let json = cli.global.log_format == Format::Json;
    requests::follow(&sandbox, arguments.log.as_deref(), json)?;
    interrupted.await;
    sandbox.stop().await;
    Ok(Exit::Done)
}

fn configure(sandbox: &Sandbox, target: &Target<'_>, clock: &Clock) -> Result<(), End> {
    let removed = target.write(sandbox, clock)?;
    if !removed.is_empty() {
        let names: Vec<String> = removed.iter().map(|file| file.display().to_string()).collect();
        say(&format!("  removed   {}: the store of an earlier sandbox", names.join(", ")));
    }
    let file = target.file().display();
    say(&format!("  try: cdsync --config {file} sync ingress"));
    say(&format!("       cdsync --config {file} sync egress"));
    say(&format!("       cdsync --config {file} sync optout"));
    Ok(())
}

fn greet(sandbox: &Sandbox) {
    let rows = |table: &str, noun| many(sandbox.dynamics().count(table) as u64, noun);
    say(&format!(
        "sandbox on {} with {}, {}, {}",
        sandbox.origin(),
        rows("contact", "contact"),
        rows("new_vehicle", "vehicle"),
        rows("new_servicevisit", "service visit"),
    ));
    say(&format!("  pages     {}/_sandbox", sandbox.origin()));
    say(&format!("  dynamics  {}/api/data/v9.2/", sandbox.origin()));
    say(&format!("  campaign  {}/campaign/", sandbox.campaign_url()));
    let files = sandbox.sftp();
    let events = many(sandbox.journal().count() as u64, "event");
    say(&format!("  journal   {}, {events}", sandbox.journal().url()));
    say(&format!("  files     sftp://{}@{}/exports", files.user(), files.address()));
}

/// Writes down whom a client of the secure port has to trust.
fn tell_authority(sandbox: &Sandbox, arguments: &args::Sandbox) -> Result<(), End> {
    if let (Some(file), Some(origin), Some(authority)) =
        (&arguments.tls, sandbox.secure_origin(), sandbox.authority())
    {
        std::fs::write(file, authority).map_err(|error| {
            End::new(Exit::Usage, format!("{} cannot be written: {error}", file.display()))
        })?;
        say(&format!("  TLS       {origin}, with {} as authority", file.display()));
    }
    Ok(())
}

/// The switches with what they take; the default stands first.
fn list_variants() -> String {
    let defaults = Variants::default().values();
    let row = |variant: &crate::sandbox::Variant| {
        let default = defaults.get(variant.name).map_or_else(String::new, |value| {
            value.as_str().map_or_else(|| value.to_string(), str::to_owned)
        });
        let takes = variant.values.replace('|', ", ");
        vec![variant.name.to_owned(), default, takes, variant.meaning.to_owned()]
    };
    let rows: Vec<Vec<String>> = Variants::list().iter().map(row).collect();
    let columns = [
        ("variant", Align::Left),
        ("default", Align::Left),
        ("takes", Align::Left),
        ("plays", Align::Left),
    ];
    table(&columns, &rows)
}

/// Mail to all contacts, three days ago; the journal and the log files tell the
/// same, and the rows of the second export correct some of the first.
fn mailings(sandbox: &Sandbox, arguments: &args::Sandbox) {
    let mail = sandbox.mail();
    let mailing = Mailing {
        seed: arguments.seed,
        deliveries: arguments.mailings,
        odd_ones: false,
        ..Mailing::default()
    };
    let facts = mail.send(&mailing);
    mail.publish(&facts, EventIds::Logs);
    let (late, early): (Vec<MailFact>, Vec<MailFact>) =
        facts.into_iter().partition(|fact| fact.late);
    mail.export("1", &early, &LogForm::default());
    mail.export("2", &late, &LogForm::default());
}
