//! Campaign's changes by exported files: in any order, repeated, late, cut off,
//! packed, in every form. A file is a hint; what Campaign holds now decides.

use cdsync::sandbox::{ExportForm, FaultRule, LogDates, LogForm, System};
use serde_json::json;
use uuid::Uuid;

use crate::optout_rig::{
    BULK, ago, begun, both_ways, decided, email, in_campaign, in_dynamics, number, passed, reasons,
    sections, settle, silent, writes,
};
use crate::support::{World, status};

const DIRECTORY: &str = "d365_loads/exports";

/// `[campaign.sftp]` and `[optout.sftp]` for this world.
fn servers(world: &World, files: &str) -> String {
    let sftp = world.sandbox.sftp();
    world.secret("sftp-key", &sftp.client_key());
    std::fs::write(world.path("known_hosts"), sftp.known_hosts()).unwrap();
    let (address, user) = (sftp.address(), sftp.user());
    format!(
        "[campaign.sftp]\nhost = \"{}\"\nport = {}\nuser = \"{user}\"\nprivate_key = {{ file = \"{}\" }}\nknown_hosts = \"{}\"\n[optout.sftp]\ndirectory = \"{DIRECTORY}\"\n{files}\n",
        address.ip(),
        address.port(),
        world.path("sftp-key").display(),
        world.path("known_hosts").display(),
    )
}

/// Both ways, Campaign's changes by files alone; everybody has agreed.
fn by_files(files: &str, contacts: usize) -> (World, Vec<Uuid>) {
    let (world, ids) = both_ways(contacts);
    let more = format!("source = \"sftp\"\n{BULK}\n{}", servers(&world, files));
    world.configure(&sections("bidirectional", &more));
    settle(&world);
    (world, ids)
}

/// Campaign's changes by files and by REST.
fn by_both(world: &World) -> String {
    let rest = "source = [\"sftp\", \"rest\"]\nrest = { filter = \"byModifiedSince\", parameter = \"since_parameter\" }";
    format!("{rest}\n{BULK}\n{}", servers(world, ""))
}

fn export(world: &World, name: &str, form: &ExportForm) {
    world.sandbox.export_optouts(name, form).unwrap();
}

fn all() -> ExportForm {
    ExportForm { all: true, ..ExportForm::default() }
}

#[test]
fn an_opt_out_comes_with_the_daily_export_and_the_ledger_names_file_and_line() {
    let (world, ids) = by_files("", 4);
    in_campaign(&world, ids[0], true, Some(ago(60)));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (false, true), "nobody has told it yet");
    export(&world, "optout_1", &all());
    let run = passed(&world).ends(0);
    assert_eq!(email(&world, ids[0]), (true, true));
    let taken = run.event("file.taken");
    assert_eq!(
        (&taken["flow"], &taken["file"], &taken["rows"]),
        (&json!("optout"), &json!("optout_1.csv"), &json!(4))
    );
    let told = &decided(&world, ids[0])[0].told_by;
    let line = told.strip_prefix("optout_1.csv:").unwrap();
    assert!((2..=5).contains(&line.parse::<u32>().unwrap()), "{told}");
    silent(&world, "a file");
}

#[test]
fn files_may_come_in_any_order_twice_late_and_packed() {
    let (world, ids) = by_files("", 4);
    // Three days: no, yes, no; the last is true.
    in_campaign(&world, ids[0], true, Some(ago(3000)));
    in_dynamics(&world, ids[1], true, ago(3000));
    export(&world, "optout_day1", &all());
    in_campaign(&world, ids[0], false, Some(ago(2000)));
    in_campaign(&world, ids[1], false, Some(ago(2000)));
    export(&world, "optout_day2", &all());
    in_campaign(&world, ids[0], true, Some(ago(1000)));
    export(&world, "optout_day3", &all());
    let sftp = world.sandbox.sftp();
    let of = |day: u32| sftp.read(&format!("{DIRECTORY}/optout_day{day}.csv")).unwrap();
    let days = [of(1), of(2), of(3)];
    for day in 1..=3 {
        assert!(sftp.remove(&format!("{DIRECTORY}/optout_day{day}.csv")));
    }
    // The names say nothing of the order, and each comes again.
    for (name, day) in [("z", 1), ("a", 2), ("m", 0), ("b", 2), ("c", 1), ("d", 0)] {
        let an_hour_ago = crate::sandbox_optouts::now() - jiff::SignedDuration::from_hours(1);
        sftp.put_at(&format!("{DIRECTORY}/optout_{name}.csv"), &days[day], an_hour_ago);
        settle(&world);
        assert!(email(&world, ids[0]).1, "{name}: lifted by an old file");
    }
    assert_eq!(email(&world, ids[0]), (true, true));
    assert_eq!(email(&world, ids[1]), (false, false));
    // The server's monitoring packs them.
    world.forget();
    let packed = ExportForm { form: LogForm { gzip: true, ..LogForm::default() }, ..all() };
    export(&world, "optout_day4", &packed);
    settle(&world);
    assert_eq!(writes(&world), Vec::<String>::new());
    assert_eq!(
        number(&world, "SELECT count(*) FROM file WHERE flow = 'optout' AND state = 'done'"),
        7
    );
    silent(&world, "many files");
}

#[test]
fn a_stale_file_lifts_nothing() {
    let (world, ids) = by_files("", 3);
    in_dynamics(&world, ids[0], true, ago(3000));
    settle(&world);
    in_campaign(&world, ids[0], false, Some(ago(2000)));
    export(&world, "optout_1", &all());
    // After the export the person says no again.
    in_campaign(&world, ids[0], true, Some(ago(100)));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    assert!(decided(&world, ids[0]).iter().all(|it| it.result));
    silent(&world, "stale");
}

#[test]
fn a_file_that_is_still_written_to_waits_and_one_that_was_cut_off_is_told() {
    let (world, ids) = by_files("settle_seconds = 3600", 4);
    in_campaign(&world, ids[0], true, Some(ago(60)));
    let young = ExportForm { modified: Some(ago(5)), ..all() };
    export(&world, "optout_1", &young);
    settle(&world);
    assert_eq!(email(&world, ids[0]), (false, true), "it may grow");
    let (world, ids) = by_files("", 4);
    for id in &ids {
        in_campaign(&world, *id, true, Some(ago(60)));
    }
    let form = LogForm { quoted: false, ..LogForm::default() };
    export(&world, "optout_1", &ExportForm { form: form.clone(), ..all() });
    let whole = world.sandbox.sftp().read(&format!("{DIRECTORY}/optout_1.csv")).unwrap();
    let lengths = [whole.len() / 2, whole.len() - 60, 30];
    for (day, cut_at) in lengths.into_iter().enumerate() {
        let cut = ExportForm { cut_at: Some(cut_at), form: form.clone(), ..all() };
        export(&world, "optout_1", &cut);
        let run = passed(&world).ends(1);
        let refused = run.event("file.refused");
        assert_eq!(
            (&refused["flow"], &refused["file"]),
            (&json!("optout"), &json!("optout_1.csv")),
            "{day}"
        );
        assert!(refused["reason"].as_str().unwrap().contains("line "), "{day}: {refused}");
        passed(&world).ends(1);
    }
    export(&world, "optout_1", &all());
    settle(&world);
    assert!(ids.iter().all(|id| email(&world, *id) == (true, true)));
    silent(&world, "whole at last");
}

#[test]
fn every_form_of_an_export_is_read() {
    let plain = LogForm::default;
    let tab = LogForm { separator: b'\t', quoted: false, crlf: true, ..plain() };
    let excel =
        LogForm { separator: b';', bom: true, dates: LogDates::DayFirst, labels: false, ..plain() };
    let old =
        LogForm { latin: true, dates: LogDates::YearFirst, shuffle: 7, gzip: true, ..plain() };
    for (form, format) in [
        (tab, r#"format = { separator = "\t", quote = "" }"#),
        (excel, r#"format = { separator = ";", date_format = "ddmmyyyy" }"#),
        (old, r#"format = { encoding = "windows-1252", date_format = "yyyymmdd" }"#),
    ] {
        let (world, ids) = by_files(format, 4);
        in_campaign(&world, ids[0], true, Some(ago(600)));
        in_dynamics(&world, ids[1], true, ago(3000));
        settle(&world);
        in_campaign(&world, ids[1], false, Some(ago(600)));
        export(&world, "optout_1", &ExportForm { form, ..all() });
        settle(&world);
        assert_eq!(email(&world, ids[0]), (true, true), "{format}");
        assert_eq!(email(&world, ids[1]), (false, false), "{format}");
        silent(&world, format);
    }
}

#[test]
fn a_file_without_stamps_is_a_hint_and_campaign_is_asked_for_the_evidence() {
    let (world, ids) = by_files("", 4);
    in_campaign(&world, ids[0], true, Some(ago(600)));
    in_dynamics(&world, ids[1], true, ago(3000));
    settle(&world);
    in_campaign(&world, ids[1], false, Some(ago(600)));
    in_dynamics(&world, ids[2], true, ago(3000));
    settle(&world);
    in_campaign(&world, ids[2], false, None);
    export(&world, "optout_1", &ExportForm { stamps: false, ..all() });
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    assert_eq!(email(&world, ids[1]), (false, false), "Campaign itself has the stamp");
    assert_eq!(email(&world, ids[2]), (true, true), "nobody has one");
    assert_eq!(reasons(&world, ids[2]).last().unwrap(), "no-campaign-stamp");
    silent(&world, "no stamps");
}

#[test]
fn strangers_in_a_file_are_filtered_and_one_bad_file_stops_no_other() {
    let (world, ids) = by_files("after = \"delete\"", 3);
    let stranger = json!({ "externalId": "nobody's", "lastName": "X", "blackListEmail": true });
    world.sandbox.campaign().insert("profile", &stranger).unwrap();
    world.sandbox.campaign().insert("profile", &json!({ "lastName": "Keyless" })).unwrap();
    in_campaign(&world, ids[0], true, Some(ago(60)));
    export(&world, "optout_2", &all());
    let sftp = world.sandbox.sftp();
    let an_hour_ago = crate::sandbox_optouts::now() - jiff::SignedDuration::from_hours(1);
    sftp.put_at(
        &format!("{DIRECTORY}/optout_1.csv"),
        b"email,blackListEmail\na@b,1\n",
        an_hour_ago,
    );
    sftp.put_at(&format!("{DIRECTORY}/other.csv"), b"x\n", an_hour_ago);
    let run = passed(&world).ends(1);
    assert_eq!(email(&world, ids[0]), (true, true));
    let reason = run.event("file.refused")["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("no column `externalId`"), "{reason}");
    assert!(run.counts().filtered >= 2, "{}", run.stderr);
    assert_eq!(sftp.list(DIRECTORY), ["optout_1.csv", "other.csv"], "what is taken is deleted");
}

#[test]
fn a_dry_run_deletes_no_file_and_takes_none() {
    let (world, ids) = by_files("after = \"delete\"", 3);
    in_campaign(&world, ids[0], true, Some(ago(60)));
    export(&world, "optout_1", &all());
    let sftp = world.sandbox.sftp();
    let planned = world.run(&["plan", "optout", "--json"]).ends(0);
    assert!(planned.stdout.contains(&ids[0].to_string()), "{}", planned.stdout);
    assert!(planned.events("file.taken").is_empty(), "{}", planned.stderr);
    assert_eq!(sftp.list(DIRECTORY), ["optout_1.csv"], "it is still to be taken");
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    assert!(sftp.list(DIRECTORY).is_empty());
}

#[test]
fn a_file_that_stays_refused_keeps_no_opt_out_from_being_lifted() {
    let (world, ids) = by_files("", 3);
    world.configure(&sections("bidirectional", &by_both(&world)));
    in_dynamics(&world, ids[0], true, ago(3000));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    let an_hour_ago = crate::sandbox_optouts::now() - jiff::SignedDuration::from_hours(1);
    let bad = b"email,blackListEmail\na@b,1\n";
    world.sandbox.sftp().put_at(&format!("{DIRECTORY}/optout_1.csv"), bad, an_hour_ago);
    passed(&world).ends(1).event("file.refused");
    in_campaign(&world, ids[0], false, Some(ago(300)));
    passed(&world).ends(1).event("file.refused");
    assert_eq!(email(&world, ids[0]), (false, false), "told by REST");
}

#[test]
fn files_and_rest_run_side_by_side_and_a_dead_file_server_stops_only_itself() {
    let (world, ids) = by_files("", 4);
    let more = by_both(&world);
    world.configure(&sections("bidirectional", &more));
    in_campaign(&world, ids[0], true, Some(ago(60)));
    export(&world, "optout_1", &all());
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    silent(&world, "both sources");
    let port = format!("port = {}", world.sandbox.sftp().address().port());
    world.configure(&sections("bidirectional", &more.replace(&port, "port = 9")));
    in_campaign(&world, ids[1], true, Some(ago(60)));
    assert_eq!(passed(&world).code, 4);
    assert_eq!(email(&world, ids[1]), (true, true), "told by REST");
}

#[test]
fn a_filter_that_fails_keeps_no_other_source_from_telling() {
    let (world, ids) = by_files("", 4);
    let more = by_both(&world);
    world.configure(&sections("bidirectional", &more));
    world.play(FaultRule {
        system: Some(System::Campaign),
        path: Some("byModifiedSince".to_owned()),
        ..FaultRule::always(status(404))
    });
    in_dynamics(&world, ids[0], true, ago(60));
    in_campaign(&world, ids[1], true, Some(ago(60)));
    export(&world, "optout_1", &all());
    assert_ne!(passed(&world).code, 0);
    assert_eq!(email(&world, ids[0]), (true, true), "told by Dynamics");
    assert_eq!(email(&world, ids[1]), (true, true), "told by the file");
}

#[test]
fn a_crash_while_files_are_taken_loses_no_opt_out() {
    let (world, ids) = begun("bidirectional", &format!("{}{BULK}", crate::optout_rig::REST), 3);
    let more = format!("source = \"sftp\"\n{BULK}\n{}", servers(&world, ""));
    world.configure(&sections("bidirectional", &more));
    settle(&world);
    let mut hits = 0;
    for n in 1..60 {
        let value = n % 2 == 1;
        let at = 30_000 - n * 300;
        in_dynamics(&world, ids[0], true, ago(at + 60));
        in_campaign(&world, ids[0], value, Some(ago(at)));
        export(&world, &format!("optout_{n}"), &all());
        let mut command = world.command(&["sync", "optout", "--patience", "60"]);
        let output = command.env("CDSYNC_CRASH", format!("committed:{n}")).output().unwrap();
        let crashed = output.status.code().is_none();
        hits += usize::from(crashed);
        settle(&world);
        assert_eq!(
            email(&world, ids[0]),
            (value, value),
            "committed:{n} {:?}",
            decided(&world, ids[0])
        );
        if !crashed {
            break;
        }
    }
    assert!(hits > 5, "{hits}: the plan does not work");
    silent(&world, "after crashes");
}

#[test]
fn check_says_what_the_flow_lacks() {
    let (world, _) = by_files("", 2);
    let findings = |expected: i32| {
        let run = world.run(&["check", "--json"]).ends(expected);
        let told: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        told["problems"].to_string()
    };
    let told = world.run(&["check"]).stdout;
    assert!(told.contains("no file has a name like `optout_*.csv` (opt-outs)"), "{told}");
    let rest = "source = \"rest\"\nrest = { filter = \"byNothing\", parameter = \"x_parameter\" }";
    world.configure(&sections("bidirectional", &format!("{rest}\n{BULK}")));
    let told = findings(1);
    assert!(told.contains("optout.rest"), "{told}");
    let pairs = "pairs = [ { dynamics = \"new_points\", campaign = \"blackListEmail\" } ]";
    world.configure(&sections("bidirectional", &format!("{}{pairs}", crate::optout_rig::REST)));
    let told = findings(1);
    assert!(told.contains("optout.pairs") && told.contains("new_points"), "{told}");
    world.configure(&sections("bidirectional", &format!("{}{BULK}", crate::optout_rig::REST)));
    world.sandbox.set_clock_offset(System::Campaign, 3_600_000);
    let told = world.run(&["check"]).stdout;
    assert!(told.contains("Campaign's clock minus that of Dynamics is 3"), "{told}");
}
