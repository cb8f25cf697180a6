//! All three flows under each value of each variant.
//!
//! Owns: the first days with cdsync, from `provision` to a lost token, and what
//! both sides hold after each. The variants come from the list that
//! `cdsync sandbox --list-variants` prints: a new one is played without a new
//! test. Must not expect another outcome of one variant than of the others.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;

use cdsync::sandbox::{Clearing, Envelope, EventIds, MailKind, Mailing, Variants};
use serde_json::json;
use uuid::Uuid;

use crate::ingress_links::{add_vehicle, change_vehicle, vehicles, vehicles_equal};
use crate::ingress_tables::{FIELDS, by_filter};
use crate::optout_rig::{BULK, REST, ago, writes};
use crate::support::{Setup, World};

/// What is played where a variant takes any number. Of tokens' lives one that
/// outlasts a machine that stands still, and is shorter than what clients keep
/// in hand.
fn number(variant: &str) -> &'static str {
    if variant.ends_with("-token-seconds") { "60" } else { "2" }
}

/// Jobs at a time.
const WORKERS: usize = 3;

/// Each value of each variant that is not the default, alone; and the defaults.
fn cases() -> Vec<(String, Variants)> {
    let usual = Variants::default();
    let mut cases = vec![("defaults".to_owned(), usual)];
    for variant in Variants::list() {
        let values =
            if variant.values.contains('|') { variant.values } else { number(variant.name) };
        for value in values.split('|') {
            let mut variants = usual;
            variants.set(variant.name, value).unwrap();
            if variants != usual {
                cases.push((format!("{}={value}", variant.name), variants));
            }
        }
    }
    cases
}

/// Contacts to profiles without the flag that the opt-outs own, vehicles,
/// opt-outs both ways, the journal.
fn configuration(world: &World, variants: Variants) -> String {
    let fields: String =
        FIELDS.lines().filter(|line| !line.contains("donot")).flat_map(|it| [it, "\n"]).collect();
    let contacts = by_filter("apply_deletes = true", &fields);
    let id = match variants.journal_envelope {
        Envelope::CloudEvents => "/id",
        Envelope::Pipeline => "/header/msgId",
        Envelope::ActivityStreams => "/@id",
    };
    format!(
        "{contacts}{}\n[optout]\ndirection = \"bidirectional\"\n{REST}{BULK}\n\n\
         [egress]\nevents = [\"send\", \"open\", \"click\", \"bounce\"]\n\n\
         [egress.journal]\nurl = \"{}\"\npointers = {{ id = \"{id}\" }}\n",
        vehicles(""),
        world.sandbox.journal().url()
    )
}

/// What somebody writes whose Campaign takes only one of the two; the dead
/// letters of a first pass tell them.
fn clearing(variants: Variants) -> String {
    let text = if variants.clearing == Clearing::NullOnly { "null" } else { "empty" };
    let link = if variants.link_clearing == Clearing::EmptyOnly { "empty" } else { "null" };
    format!("clear_with = \"{text}\"\nclear_links_with = \"{link}\"\n")
}

struct Job {
    world: World,
    /// The e-mail flag by the name that Campaign has for it.
    flag: &'static str,
    mailings: u64,
}

impl Job {
    fn new(variants: Variants) -> Self {
        let setup = Setup { contacts: 0, variants, ..Setup::default() };
        let world = World::new(setup);
        world.configure(&configuration(&world, variants));
        let file = world.path("config.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let settings = format!("{}[store]", clearing(variants));
        std::fs::write(&file, text.replacen("[store]", &settings, 1)).unwrap();
        let dynamics = world.sandbox.dynamics();
        dynamics.remove_mail_tables();
        dynamics.set_change_tracking("contact", false);
        let flag = if variants.deny_list_names { "denyListEmail" } else { "blackListEmail" };
        Self { world, flag, mailings: 0 }
    }

    fn person(&self, first: &str, last: &str) -> Uuid {
        let row = json!({
            "firstname": first, "lastname": last, "birthdate": "1815-12-10",
            "emailaddress1": format!("{}@example.com", first.to_lowercase()),
        });
        let id = self.world.add(&row);
        let off = json!({ "donotbulkemail": false });
        self.world.sandbox.dynamics().update_at("contact", id, &off, ago(86_400)).unwrap();
        id
    }

    /// A mailing to everybody, told by the journal.
    fn mailing(&mut self) {
        self.mailings += 1;
        let mail = self.world.sandbox.mail();
        let mailing = Mailing { seed: self.mailings, odd_ones: false, ..Mailing::default() };
        mail.publish(&mail.send(&mailing), EventIds::Logs);
    }

    #[track_caller]
    fn runs(&self, arguments: &[&str]) {
        self.world.run(arguments).ends(0);
    }

    #[track_caller]
    fn pass(&self) {
        self.runs(&["sync", "--patience", "60"]);
    }

    #[track_caller]
    fn settled(&self, when: &str, out: &[Uuid], not_out: &[Uuid]) {
        self.world.equal_but("blackList");
        vehicles_equal(&self.world);
        let dynamics = self.world.sandbox.dynamics();
        let people = out.iter().map(|id| (id, true));
        for (id, wanted) in people.chain(not_out.iter().map(|id| (id, false))) {
            let contact = dynamics.get("contact", *id).unwrap();
            let profile = self.world.profile(*id);
            assert_eq!(contact["donotbulkemail"], wanted, "{when}: Dynamics");
            assert_eq!(profile[self.flag], wanted, "{when}: Campaign");
        }
    }

    #[track_caller]
    fn mail_told(&self) {
        let mail = self.world.sandbox.mail();
        let found = mail.differences(EventIds::Logs, &MailKind::ALL, "new");
        assert!(found.is_empty() && !mail.facts().is_empty(), "{found:#?}");
    }

    #[track_caller]
    fn silent(&self, when: &str) {
        self.world.forget();
        self.pass();
        assert_eq!(writes(&self.world), Vec::<String>::new(), "{when}");
    }
}

fn first_days(variants: Variants) {
    let mut job = Job::new(variants);
    let [ada, grace, edith] = [("Ada", "Lovelace"), ("Grace", "Hopper"), ("Edith", "Clarke")]
        .map(|(a, b)| job.person(a, b));
    let [van, cart] = ["Van", "Cart"].map(|name| add_vehicle(&job.world, Some(edith), name));
    let bus = add_vehicle(&job.world, Some(grace), "Bus");
    job.runs(&["provision"]);
    job.runs(&["provision", "--change-tracking", "contact"]);
    job.runs(&["check"]);

    job.mailing();
    job.pass();
    job.settled("loaded", &[], &[ada, grace, edith]);
    job.mail_told();

    let emptied = json!({
        "lastname": "Byron", "birthdate": null, "emailaddress1": "", "donotbulkemail": true,
    });
    job.world.change(ada, &emptied);
    let campaign = job.world.sandbox.campaign();
    assert_eq!(campaign.set_flag_at(&grace.to_string(), job.flag, true, Some(ago(0))).unwrap(), 1);
    let joan = job.person("Joan", "Clarke");
    add_vehicle(&job.world, Some(joan), "Tram");
    let to_ada = json!({ "new_ContactId@odata.bind": format!("/contacts({ada})") });
    change_vehicle(&job.world, van, &to_ada);
    change_vehicle(&job.world, bus, &json!({ "new_contactid": null }));
    job.mailing();
    job.pass();
    job.settled("changed", &[ada, grace], &[edith, joan]);
    job.mail_told();
    job.silent("nothing has happened since");

    let dynamics = job.world.sandbox.dynamics();
    dynamics.expire_tokens();
    assert!(dynamics.delete("new_vehicle", cart));
    job.world.delete(edith);
    job.pass();
    job.settled("deleted", &[ada, grace], &[joan]);
    assert_eq!(job.world.sandbox.campaign().count("profile"), 3);
}

fn text(cause: &(dyn std::any::Any + Send)) -> String {
    let words = cause.downcast_ref::<&str>().map(|it| (*it).to_owned());
    words.or_else(|| cause.downcast_ref::<String>().cloned()).unwrap_or_default()
}

#[test]
fn the_flows_do_their_work_under_each_value_of_each_variant() {
    let (queue, failed) = (Mutex::new(cases().into_iter()), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let Some((name, variants)) = queue.lock().unwrap().next() else { return };
            if let Err(cause) = catch_unwind(AssertUnwindSafe(|| first_days(variants))) {
                failed.lock().unwrap().push(format!("{name}: {}", text(&*cause)));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n\n"));
}
