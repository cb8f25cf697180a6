//! Whole mailings, told by the sandbox's journal, onto the timeline: what the
//! sandbox says must come of them against what Dynamics holds.

use cdsync::sandbox::{
    Envelope, EventIds, Fault, FaultPlan, FaultRule, MailKind, Mailing, System, Variants,
};

use crate::support::{Run, Setup, World};

/// Adds the journal to the configuration.
fn journal(world: &World, more: &str) {
    let file = world.path("config.toml");
    let mut text = std::fs::read_to_string(&file).unwrap();
    text.push_str(&format!(
        "\n[egress]\nevents = [\"send\", \"open\", \"click\", \"bounce\"]\n\n\
         [egress.journal]\nurl = \"{}\"\n{more}",
        world.sandbox.journal().url()
    ));
    std::fs::write(file, text).unwrap();
}

fn world(contacts: usize, variants: Variants, more: &str) -> World {
    let world = World::new(Setup { contacts, variants, ..Setup::default() });
    journal(&world, more);
    world
}

fn pass(world: &World) -> Run {
    world.run(&["sync", "egress", "--patience", "60"])
}

#[track_caller]
fn exactly_once(world: &World, ids: EventIds) {
    let found = world.sandbox.mail().differences(ids, &MailKind::ALL, "new");
    assert!(found.is_empty(), "{} differences: {:#?}", found.len(), &found[..found.len().min(20)]);
}

#[test]
fn every_envelope_is_understood() {
    for (journal_envelope, pointer) in [
        (Envelope::CloudEvents, "/id"),
        (Envelope::Pipeline, "/header/msgId"),
        (Envelope::ActivityStreams, "/@id"),
    ] {
        let variants = Variants { journal_envelope, ..Variants::default() };
        let world = world(30, variants, &format!("pointers = {{ id = \"{pointer}\" }}\n"));
        let mail = world.sandbox.mail();
        let facts = mail.send(&Mailing { odd_ones: false, ..Mailing::default() });
        mail.publish(&facts, EventIds::Logs);
        pass(&world).ends(0);
        exactly_once(&world, EventIds::Logs);
    }
}

/// What goes wrong on both sides, again and again.
fn troubles() -> FaultPlan {
    let of = |system: System, every: u64, fault: Fault| FaultRule {
        system: Some(system),
        every: Some(every),
        ..FaultRule::always(fault)
    };
    let broken = Fault::Status { code: 503, body: String::new() };
    let rules = vec![
        of(System::Journal, 13, Fault::CutAfter),
        of(System::Journal, 7, Fault::DuplicateRows),
        of(System::Journal, 11, Fault::EmptyPage),
        of(System::Journal, 17, Fault::Truncated),
        of(System::Dynamics, 19, Fault::CutAfter),
        of(System::Dynamics, 23, Fault::CutBefore),
        of(System::Dynamics, 29, broken),
    ];
    FaultPlan { seed: 1, rules }
}

#[test]
fn ten_thousand_events_through_faults_and_crashes_become_one_activity_each() {
    let variants = Variants { journal_repeats: 10, journal_shuffle: 300, ..Variants::default() };
    let world = world(1000, variants, "");
    let mail = world.sandbox.mail();
    let mailing = Mailing { deliveries: 5, odd_ones: false, ..Mailing::default() };
    let facts = mail.send(&mailing);
    assert!(facts.len() >= 10_000, "{}", facts.len());
    mail.publish(&facts, EventIds::Journal);
    world.sandbox.set_faults(troubles());
    let points = ["committed", "request", "commit", "answered"];
    let mut crashes = 0_u32;
    for (turn, point) in points.into_iter().cycle().enumerate().take(40) {
        let mut command = world.command(&["sync", "egress", "--patience", "60"]);
        command.env("CDSYNC_CRASH", format!("{point}:{}", 8 + 2 * turn));
        let ended = command.output().unwrap().status;
        if ended.success() {
            break;
        }
        crashes += u32::from(ended.code().is_none());
    }
    assert!(crashes >= 4, "{crashes} crashes: the plan does not work");
    world.calm();
    pass(&world).ends(0);
    exactly_once(&world, EventIds::Journal);
}
