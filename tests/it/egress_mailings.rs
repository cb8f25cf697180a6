//! Whole mailings, told by the sandbox's journal, onto the timeline: what the
//! sandbox says must come of them against what Dynamics holds.

use cdsync::sandbox::{
    Envelope, EventIds, Fault, FaultPlan, FaultRule, MailKind, Mailing, Standing, System, Variants,
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
fn a_mailing_becomes_one_activity_per_event_and_nothing_else() {
    let world = world(120, Variants::default(), "");
    let mail = world.sandbox.mail();
    let facts = mail.send(&Mailing { deliveries: 2, ..Mailing::default() });
    mail.publish(&facts, EventIds::Journal);
    let run = pass(&world).ends(1);
    exactly_once(&world, EventIds::Journal);
    let with = |standing: Standing| facts.iter().filter(|it| it.standing == standing).count();
    let counts = run.counts();
    let number = |count: usize| u64::try_from(count).unwrap();
    assert_eq!(counts.read, number(facts.len()));
    assert_eq!(counts.written, number(with(Standing::Due)));
    let left_out = with(Standing::Proof) + with(Standing::Seed) + with(Standing::Soft);
    assert_eq!(counts.filtered, number(left_out));
    assert_eq!(counts.pending, number(with(Standing::Stranger)));
    assert_eq!(counts.dead_lettered, number(with(Standing::Strange)));
}

#[test]
fn what_the_journal_repeats_and_shuffles_is_made_once() {
    let variants = Variants { journal_repeats: 3, journal_shuffle: 40, ..Variants::default() };
    let world = world(80, variants, "");
    let mail = world.sandbox.mail();
    let facts = mail.send(&Mailing { odd_ones: false, ..Mailing::default() });
    mail.publish(&facts, EventIds::Journal);
    pass(&world).ends(0);
    exactly_once(&world, EventIds::Journal);
    mail.publish(&facts, EventIds::Journal);
    assert_eq!(pass(&world).ends(0).counts().written, 0);
    exactly_once(&world, EventIds::Journal);
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

#[test]
fn a_troubled_journal_and_a_troubled_dynamics_change_nothing() {
    let variants = Variants { journal_batch: 20, ..Variants::default() };
    let world = world(60, variants, "");
    let mail = world.sandbox.mail();
    let facts = mail.send(&Mailing { odd_ones: false, ..Mailing::default() });
    mail.publish(&facts, EventIds::Journal);
    let of = |system: System, every: u64, fault: Fault| FaultRule {
        system: Some(system),
        every: Some(every),
        ..FaultRule::always(fault)
    };
    let rules = vec![
        of(System::Journal, 3, Fault::CutAfter),
        of(System::Journal, 4, Fault::DuplicateRows),
        of(System::Journal, 5, Fault::EmptyPage),
        of(System::Dynamics, 3, Fault::CutAfter),
        of(System::Dynamics, 5, Fault::CutBefore),
    ];
    world.sandbox.set_faults(FaultPlan { seed: 1, rules });
    for _ in 0..10 {
        if pass(&world).code == 0 {
            break;
        }
    }
    world.calm();
    pass(&world).ends(0);
    exactly_once(&world, EventIds::Journal);
}
