//! A marker stands in every text of every system and in what each of them
//! answers. Every command runs over it, in every form of the log, at the level
//! that says most: the marker stays in the systems and in the store.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use cdsync::sandbox::{Fault, FaultRule, System, Variants};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::egress_world::egress;
use crate::ingress_links::{add_vehicle, vehicles};
use crate::metrics::{ask, served};
use crate::optout_rig::ago;
use crate::rig::Running;
use crate::support::{FIELDS, STORES, Setup, World, by_filter};

/// Stands in every text. No word of any document holds it.
pub(crate) const MARK: &str = "Qzxmarkq";

/// Values without letters, and forms in which the marker could hide.
const OTHERS: [&str; 7] = [
    "55566677788",
    "1931-07-13",
    "987654",
    "31415926",
    "1987-03-14",
    "UXp4bWFya3",
    "517a786d61726b71",
];

/// Every form of the log that does not need a journal.
const FORMATS: [&str; 2] = ["json", "pretty"];

/// All that was said, and by which command.
#[derive(Default)]
pub(crate) struct Said(Vec<(String, String)>);

impl Said {
    pub(crate) fn add(&mut self, who: &str, text: impl Into<String>) {
        self.0.push((who.to_owned(), text.into()));
    }

    /// Runs a command, in one form of the log after the other.
    pub(crate) fn run(&mut self, world: &World, arguments: &[&str]) {
        self.once(world, FORMATS[self.0.len() / 2 % FORMATS.len()], arguments);
    }

    /// Runs a command to its end, and gives its exit code.
    pub(crate) fn once(&mut self, world: &World, format: &str, arguments: &[&str]) -> i32 {
        let output = command(world, format, arguments).output().unwrap();
        let who = format!("{format}: {}", arguments.join(" "));
        self.add(&who, String::from_utf8(output.stdout).unwrap());
        self.add(&who, String::from_utf8(output.stderr).unwrap());
        output.status.code().unwrap()
    }

    /// Fails where any of it holds a marker or a secret.
    pub(crate) fn is_clean(&self, world: &World) {
        let known = world.sandbox.credentials();
        let mut words = vec![known.dynamics_client_secret, known.campaign_client_secret];
        words.extend([MARK, "eyJ", "Bearer "].into_iter().chain(OTHERS).map(str::to_owned));
        let mut found = Vec::new();
        for (who, text) in &self.0 {
            for word in &words {
                let line = text.lines().find(|line| holds(line, word));
                found.extend(line.map(|line| format!("{who}: {word} in {line}")));
            }
        }
        assert!(found.is_empty(), "{found:#?}");
    }
}

pub(crate) fn holds(text: &str, word: &str) -> bool {
    text.to_lowercase().contains(&word.to_lowercase())
}

pub(crate) fn command(world: &World, format: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cdsync"));
    command.env_clear().current_dir(world.dir.path()).stdin(Stdio::null());
    command.args(["--config", "config.toml", "--log-format", format, "--log-level", "trace"]);
    command.args(arguments);
    command
}

/// Every flow, from and to every place.
pub(crate) fn configure(world: &World) {
    let sftp = world.sandbox.sftp();
    world.secret("sftp-key", &sftp.client_key());
    std::fs::write(world.path("known_hosts"), sftp.known_hosts()).unwrap();
    let (address, user) = (sftp.address(), sftp.user());
    // A flag is either mapped or paired.
    let fields: Vec<&str> = FIELDS.lines().filter(|line| !line.contains("donot")).collect();
    let contacts =
        by_filter("apply_deletes = true\ndelete_guard = { rows = 0 }", &fields.join("\n"));
    let text = format!(
        "schedule = \"*/15 * * * * *\"\n{contacts}\n{}{STORES}{}\n\
         [egress.sftp]\ndirectory = \"exports\"\n\
         delivery_log = {{ pattern = \"delivery_log_*.csv\" }}\n\
         tracking_log = {{ pattern = \"tracking_log_*.csv\" }}\n\
         [campaign.sftp]\nhost = \"{}\"\nport = {}\nuser = \"{user}\"\n\
         private_key = {{ file = \"sftp-key\" }}\nknown_hosts = \"known_hosts\"\n\
         [optout]\nschedule = \"*/15 * * * * *\"\ndirection = \"bidirectional\"\n\
         source = [\"sftp\", \"rest\"]\n\
         rest = {{ filter = \"byModifiedSince\", parameter = \"since_parameter\" }}\n\
         pairs = [ {{ dynamics = \"donotbulkemail\", campaign = \"blackListEmail\" }} ]\n\
         [optout.sftp]\ndirectory = \"d365_loads/exports\"\n\
         [metrics]\nlisten = \"127.0.0.1:0\"\n",
        vehicles(""),
        egress(
            world,
            "schedule = \"*/15 * * * * *\"\nsource = [\"journal\", \"sftp\"]\ncontact_wait = \"0s\""
        ),
        address.ip(),
        address.port(),
    );
    world.configure(&text);
}

/// A contact with a marker in every text and odd values everywhere else.
pub(crate) fn contact(number: usize) -> Value {
    let text = |column: &str| format!("{MARK}{}{number}", &column[..2]);
    json!({
        "firstname": text("firstname"), "lastname": text("lastname"),
        "middlename": text("middlename"), "jobtitle": text("jobtitle"),
        "emailaddress1": format!("{}@{MARK}.example", text("em")),
        "telephone1": "+49 30 55566677788", "description": text("description"),
        "birthdate": "1931-07-13", "new_points": 987_654, "new_revenue": 31_415_926.25,
        "new_localtime": "1987-03-14T15:09:26Z", "address1_city": text("city"),
        "donotbulkemail": false,
    })
}

/// Fills both systems, the journal and the file server.
fn plant(world: &World) -> (Vec<Uuid>, Vec<Uuid>) {
    let ids: Vec<Uuid> = (0..26).map(|number| world.add(&contact(number))).collect();
    // Too long for its field, and a key that Campaign has twice.
    world.add(&json!({ "firstname": MARK.repeat(4), "lastname": MARK }));
    for _ in 0..2 {
        let twin = json!({
            "externalId": ids[3].to_string(), "lastName": MARK, "firstName": MARK,
            "email": format!("{MARK}@{MARK}.example"),
        });
        world.sandbox.campaign().insert("profile", &twin).unwrap();
    }
    let cars = ids
        .iter()
        .take(4)
        .map(|id| add_vehicle(world, Some(*id), &format!("{MARK} car")))
        .collect();
    let store = json!({ "new_name": format!("{MARK} store"), "new_city": MARK });
    world.sandbox.dynamics().insert("new_store", &store).unwrap();
    tell(world, &ids, 0);
    export(world, &ids);
    (ids, cars)
}

/// Events of the journal: whole ones, and each with one thing that is wrong.
pub(crate) fn tell(world: &World, ids: &[Uuid], round: usize) {
    let kinds = ["send", "open", "click", "bounce"];
    let event = |at: usize, changes: Value| {
        let mut event = json!({
            "id": format!("{round}-{at}"), "kind": kinds[at % 4],
            "contact": ids[at % ids.len()].to_string(), "time": "2026-03-01T12:00:00Z",
            "campaign": MARK, "delivery": MARK, "unknown": MARK, MARK: MARK,
            "url": format!("https://{MARK}.example/{MARK}"),
            "mirror": format!("https://{MARK}.example/{MARK}"),
        });
        for (key, value) in changes.as_object().unwrap() {
            event[key] = value.clone();
        }
        event
    };
    let mut events: Vec<Value> = (0..8).map(|at| event(at, json!({}))).collect();
    for (at, wrong) in [
        json!({ "time": MARK }),
        json!({ "contact": MARK }),
        json!({ "contact": { "name": MARK } }),
        json!({ "contact": Uuid::nil().to_string() }),
        json!({ "kind": MARK }),
        json!({ "id": [MARK] }),
        json!({ "url": MARK.repeat(1000) }),
    ]
    .into_iter()
    .enumerate()
    {
        events.push(event(100 + at, wrong));
    }
    world.sandbox.journal().add(&events);
}

/// Log files and files of opt-outs, with rows that nobody understands.
pub(crate) fn export(world: &World, ids: &[Uuid]) {
    let put = |path: &str, text: String| {
        world.sandbox.sftp().put_at(path, text.as_bytes(), ago(3600));
    };
    let (one, two) = (ids[0], ids[1]);
    let time = "2026-03-01T12:00:00Z";
    put(
        "exports/delivery_log_1.csv",
        format!(
            "id,externalId,eventDate,status,campaign,delivery,mirrorPage\n\
             m1,{one},{time},Sent,{MARK},{MARK},https://{MARK}.example\n\
             m2,{two},{MARK},Sent,{MARK},{MARK},{MARK}\n\
             m3,{MARK},{time},Sent,{MARK},{MARK},{MARK}\n\
             m4,{one},{time},{MARK},{MARK},{MARK},{MARK}\n\
             m5,{MARK}\n"
        ),
    );
    put(
        "exports/tracking_log_1.csv",
        format!(
            "id,externalId,logDate,type,urlSource,campaign,delivery\n\
             t1,{one},{time},Email click,https://{MARK}.example,{MARK},{MARK}\n\
             t2,{MARK},{time},{MARK},{MARK},{MARK},{MARK}\n"
        ),
    );
    put("exports/delivery_log_2.csv", format!("{MARK},{MARK}\n{MARK},{MARK}\n"));
    put(
        "d365_loads/exports/optout_1.csv",
        format!(
            "externalId,email,blackListEmail,blackListEmailLastModified\n\
             {one},{MARK}@{MARK}.example,1,2026-03-01 12:00:00\n\
             {MARK},{MARK},1,2026-03-01 12:00:00\n\
             {two},{MARK},{MARK},{MARK}\n\
             \"{MARK}\n"
        ),
    );
    put("d365_loads/exports/optout_2.csv", format!("{MARK};{MARK}\n{MARK};{MARK}\n"));
}

/// What each system answers where it refuses: its own words, with what it was
/// sent in quotes among them, as the vendors write, and in every member beside.
fn refusals() -> Vec<(&'static str, FaultRule)> {
    let rule = |system, method: Option<&str>, code, body: String| FaultRule {
        system: Some(system),
        method: method.map(str::to_owned),
        times: Some(4),
        ..FaultRule::always(Fault::Status { code, body })
    };
    let campaign = format!(
        "A 'Profile' with the same key '{MARK}' already exists. BAS-010040 Cannot convert '{MARK}' (type text). {MARK}@{MARK}.example"
    );
    let dynamics = |code: &str| {
        json!({ "error": { "code": code, "message": format!("Cannot convert the literal '{MARK}' of {MARK}@{MARK}.example to the type 'Edm.Int32'."), MARK: MARK } })
            .to_string()
    };
    let oauth = json!({
        "error": MARK, "error_description": format!("AADSTS7000215: {MARK} for {MARK}"),
        "trace_id": MARK, "correlation_id": MARK,
    });
    let events = json!({ "message": format!("Nothing is known of '{MARK}'"), "reason": MARK, "error_code": MARK });
    let events = events.to_string();
    vec![
        (
            "POST to Campaign",
            rule(System::Campaign, Some("POST"), 500, json!(campaign).to_string()),
        ),
        ("PATCH to Campaign", rule(System::Campaign, Some("PATCH"), 500, campaign.clone())),
        ("GET from Campaign", rule(System::Campaign, Some("GET"), 400, campaign.clone())),
        ("no right in Campaign", rule(System::Campaign, None, 403, campaign)),
        ("GET from Dynamics", rule(System::Dynamics, Some("GET"), 400, dynamics("0x80048d19"))),
        ("no right in Dynamics", rule(System::Dynamics, None, 403, dynamics("0x80040220"))),
        ("PATCH to Dynamics", rule(System::Dynamics, Some("PATCH"), 400, dynamics(MARK))),
        ("$batch to Dynamics", rule(System::Dynamics, Some("POST"), 400, dynamics(MARK))),
        ("Dynamics in HTML", rule(System::Dynamics, None, 500, format!("<html>{MARK}</html>"))),
        ("the journal", rule(System::Journal, None, 400, events.clone())),
        ("no right to the journal", rule(System::Journal, None, 403, events)),
        ("Entra", rule(System::Entra, None, 400, oauth.to_string())),
        ("IMS", rule(System::Ims, None, 400, oauth.to_string())),
    ]
}

/// Files beside the store that are neither ours nor the configuration.
fn other_files(world: &World, said: &mut Said) {
    let known = ["config.toml", "dynamics-secret", "campaign-secret", "sftp-key", "known_hosts"];
    for entry in std::fs::read_dir(world.dir.path()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("store.db") || known.contains(&name.as_str()) {
            continue;
        }
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        said.add(&format!("the file {name}"), String::from_utf8_lossy(&bytes));
    }
}

/// A daemon over the same, with a refusal under way, and what it serves.
fn as_a_daemon(world: &World, said: &mut Said) {
    for format in FORMATS {
        let daemon = Running::start(command(world, format, &["run"]));
        let mut heard = Vec::new();
        let address = if format == "json" {
            served(&daemon)
        } else {
            let line = daemon.wait_for("metrics.served");
            line.split('"').find(|part| part.starts_with("127.0.0.1:")).unwrap().to_owned()
        };
        for (_, refusal) in refusals().into_iter().take(1) {
            world.play(refusal);
            said.run(world, &["sync", "--via-daemon", "--patience", "5"]);
        }
        world.calm();
        for arguments in
            [&["status", "--json"][..], &["dead-letters", "list"], &["optouts", "list"]]
        {
            said.run(world, arguments);
        }
        for path in ["/metrics", "/healthz"] {
            let answer = ask(&address, &format!("GET {path} HTTP/1.1\r\n\r\n"));
            assert_eq!(answer.status, 200, "{answer:?}");
            heard.push(answer.head + &answer.body);
        }
        daemon.signal("TERM");
        let ended = daemon.end();
        ended.expect(0);
        heard.push(ended.err);
        for text in heard {
            said.add(&format!("{format}: run"), text);
        }
    }
}

/// Commands that look at all of it.
fn look(world: &World, said: &mut Said, ids: &[Uuid], cars: &[Uuid]) {
    let fixed = "check|check --json|plan|plan --json|status|status --json|dead-letters list|\
                 dead-letters list --json|optouts list|optouts list --json|optouts export|tables|\
                 resources profile|resync --verify --table contact|\
                 resync --verify --table contact --json";
    for line in fixed.split('|') {
        said.run(world, &line.split(' ').collect::<Vec<&str>>());
    }
    let (one, other, car) = (ids[0].to_string(), ids[3].to_string(), cars[0].to_string());
    said.run(world, &["optouts", "show", &one]);
    said.run(world, &["trace", &one]);
    said.run(world, &["trace", &other, "--json"]);
    said.run(world, &["trace", &car]);
    let mut reasons = BTreeSet::new();
    for letter in world.dead_letters() {
        if !reasons.insert((letter["flow"].to_string(), letter["reason"].to_string())) {
            continue;
        }
        let number = letter["id"].to_string();
        said.run(world, &["dead-letters", "show", &number]);
        said.run(world, &["dead-letters", "show", &number, "--json"]);
    }
}

#[test]
fn a_marker_in_every_field_of_every_system_is_in_no_output() {
    let variants = Variants { unique_external_id: false, ..Variants::default() };
    let world = World::new(Setup { contacts: 0, variants, ..Setup::default() });
    configure(&world);
    let (ids, cars) = plant(&world);
    let mut said = Said::default();
    assert_eq!(said.once(&world, "json", &["sync"]), 1, "{:?}", said.0);
    // It came through: what follows is no search in empty texts.
    assert!(holds(&json!(world.profile(ids[0])).to_string(), MARK));
    let activities = world.sandbox.dynamics().ids("new_campaignemailclick");
    assert!(!activities.is_empty(), "no click is an activity: {:?}", said.0);
    let letters = world.dead_letters();
    assert!(letters.len() >= 6, "{letters:#?}");

    for (number, (what, refusal)) in refusals().into_iter().enumerate() {
        // So that there is something to read, to write and to agree on.
        for id in &ids[4..8] {
            let out = number % 2 == 0;
            let changes = json!({ "lastname": format!("{MARK}{number}"), "donotbulkemail": out });
            world.change(*id, &changes);
        }
        let (campaign, person) = (world.sandbox.campaign(), ids[10 + number].to_string());
        campaign.set_flag_at(&person, "blackListEmail", true, Some(ago(30))).unwrap();
        let new = world.add(&contact(100 + number));
        add_vehicle(&world, Some(new), &format!("{MARK} of the new one"));
        tell(&world, &ids, 1 + number);
        world.forget();
        world.play(refusal);
        said.run(&world, &["sync", "--patience", "3"]);
        said.run(&world, &["check"]);
        let met = world.sandbox.requests().entries().iter().any(|entry| entry.fault.is_some());
        assert!(met, "{what} was never met");
    }
    world.calm();
    world.delete(ids[9]);
    let again = json!({ "lastName": MARK, "firstName": format!("{MARK} edited") });
    let campaign = world.sandbox.campaign();
    campaign.update("profile", "externalId", &ids[0].to_string(), &again).unwrap();
    said.run(&world, &["sync"]);
    look(&world, &mut said, &ids, &cars);
    as_a_daemon(&world, &mut said);
    said.run(&world, &["dead-letters", "retry"]);
    said.run(&world, &["approve-deletes", "contact"]);
    said.run(&world, &["approve-optouts"]);
    said.run(&world, &["resync", "--repair", "--table", "contact"]);
    said.run(&world, &["sync"]);
    other_files(&world, &mut said);
    said.is_clean(&world);
}
