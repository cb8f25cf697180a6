//! What the ledger's commands say.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::mpsc;

use super::*;
use crate::cli::args::Json;
use crate::daemon::Piece;
use crate::model::RowVersion;
use crate::model::consent::{Agreement, CampaignSide, DynamicsSide, Reason, Skew};
use crate::store::Work;
use crate::store::consent::{FlagRow, NewConsentDecision, Outcome};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn record(last: u8) -> RecordId {
    let mut bytes = [0x11; 16];
    bytes[15] = last;
    RecordId::from_bytes(bytes)
}

fn email() -> FieldName {
    FieldName::new("blackListEmail").unwrap()
}

/// A lifting of an opt-out with all that a decision may rest on.
fn lifted(contact: RecordId) -> NewConsentDecision {
    NewConsentDecision {
        contact,
        flag: email(),
        dynamics: DynamicsSide {
            opted_out: true,
            modified: Some(at(0)),
            version: Some(RowVersion(4711)),
        },
        campaign: CampaignSide { opted_out: false, stamp: Some(at(90)) },
        result: false,
        reason: Reason::CampaignNewer,
        lead: Some(SignedDuration::from_millis(88_500)),
        skew: Skew::Measured {
            offset: SignedDuration::from_millis(1500),
            spread: std::time::Duration::from_millis(700),
        },
        documented: None,
        told_by: "=optout_1.csv row 3".to_owned(),
        request_ids: vec!["a-1".to_owned(), "b-2".to_owned()],
        outcome: Outcome::Done,
    }
}

/// The opposite: kept, with nothing known.
fn kept(contact: RecordId) -> NewConsentDecision {
    NewConsentDecision {
        campaign: CampaignSide { opted_out: false, stamp: None },
        dynamics: DynamicsSide { opted_out: true, modified: None, version: None },
        result: true,
        reason: Reason::NoCampaignStamp,
        lead: None,
        skew: Skew::Unknown,
        documented: Some(false),
        told_by: "rest".to_owned(),
        request_ids: Vec::new(),
        outcome: Outcome::Kept,
        ..lifted(contact)
    }
}

fn flag(work: &mut Work<'_>, contact: RecordId, state: FlagState) -> Result<(), StoreError> {
    let campaign = CampaignSide { opted_out: false, stamp: Some(at(90)) };
    work.set_flag(&FlagRow {
        contact,
        flag: email(),
        dynamics: false,
        campaign,
        told_by: "rest".to_owned(),
        agreement: Some(Agreement { campaign, dynamics: false, own_campaign: None }),
        merged: false,
        state,
        attempts: 0,
        updated: at(0),
    })
}

/// What a command says of a ledger that `fill` has filled; the time of the
/// store's own clock is left out.
async fn said(
    action: OptoutAction,
    fill: impl FnOnce(&mut Work<'_>) -> Result<(), StoreError> + Send + 'static,
) -> Result<String, End> {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("cdsync.db");
    let store = Store::open(&path, Mode::Durable, &Clock::system()).await.unwrap();
    store.call(fill).await.unwrap();
    let (out, mut lines) = mpsc::channel(64);
    let told = tell(&Optouts { action }, &store, &mut Sink::Channel(out)).await;
    store.close().await;
    let mut text = String::new();
    while let Some(piece) = lines.recv().await {
        let Piece::Data(line) = piece else { panic!("{piece:?}") };
        text.push_str(&line);
        if !line.ends_with('\n') {
            text.push('\n');
        }
    }
    let spoken = told?;
    text.push_str(&spoken.out);
    Ok(text)
}

/// Two contacts, three decisions.
fn ledger(work: &mut Work<'_>) -> Result<(), StoreError> {
    work.add_decision(&kept(record(1)))?;
    work.add_decision(&lifted(record(1)))?;
    flag(work, record(1), FlagState::Settled)?;
    work.add_decision(&kept(record(2)))?;
    flag(work, record(2), FlagState::Held)
}

/// The times that the store itself gave begin with this year.
fn without_now(text: &str) -> String {
    let word = |word: &str| {
        let now = word.len() > 15 && word.starts_with("20") && !word.starts_with("2023");
        if now { "NOW".to_owned() } else { word.to_owned() }
    };
    let lines = text.lines().map(|line| {
        let (mut out, mut rest) = (String::new(), line);
        while let Some(end) = rest.find([',', ' ', '"']) {
            let (head, tail) = rest.split_at(end);
            out.push_str(&word(head));
            out.push_str(&tail[..1]);
            rest = &tail[1..];
        }
        out + &word(rest)
    });
    lines.collect::<Vec<_>>().join("\n")
}

const LIST: OptoutAction =
    OptoutAction::List { state: None, same_address: false, json: Json { json: false } };

#[tokio::test]
async fn the_export_has_every_fact_and_nothing_that_a_spreadsheet_executes() {
    let export = OptoutAction::Export { format: ExportForm::Csv, output: None };
    let text = said(export, ledger).await.unwrap();
    insta::assert_snapshot!(without_now(&text), @r##"
    contact,flag,dynamics,dynamics_changed,campaign,campaign_changed,told_by,agreed,agreed_by,agreed_campaign_changed,state,attempts,updated,decision_at,decision_result,decision_reason,decision_reason_text,decision_dynamics,decision_dynamics_version,decision_campaign,decision_campaign_changed,decision_lead,decision_clock_offset,decision_clock_spread_seconds,decision_documented,decision_told_by,decision_request_ids,decision_outcome
    11111111-1111-1111-1111-111111111101,blackListEmail,false,2023-11-14T22:13:20Z,false,2023-11-14T22:14:50Z,rest,false,campaign,2023-11-14T22:14:50Z,settled,0,NOW,NOW,false,campaign-newer,"Campaign's flag was cleared later, provably: it is lifted",true,4711,false,2023-11-14T22:14:50Z,ahead by 88.500 s,ahead by 1.500 s,0.700,,'=optout_1.csv row 3,a-1 b-2,done
    11111111-1111-1111-1111-111111111102,blackListEmail,false,,false,2023-11-14T22:14:50Z,rest,false,both,2023-11-14T22:14:50Z,held,0,NOW,NOW,true,no-campaign-stamp,"Campaign gives no time for its flag, so it counts as older: opted out stays",true,,false,,,,,false,rest,,kept
    "##);
}

#[tokio::test]
async fn the_same_facts_stand_in_json() {
    let export = OptoutAction::Export { format: ExportForm::Json, output: None };
    let text = said(export, ledger).await.unwrap();
    let rows: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(rows.len(), 2);
    insta::assert_snapshot!(without_now(&format!("{:#}", rows[0])), @r##"
    {
      "agreed": false,
      "agreed_by": "campaign",
      "agreed_campaign_changed": "2023-11-14T22:14:50Z",
      "attempts": 0,
      "campaign": false,
      "campaign_changed": "2023-11-14T22:14:50Z",
      "contact": "11111111-1111-1111-1111-111111111101",
      "decision": {
        "at": "NOW",
        "campaign": false,
        "campaign_changed": "2023-11-14T22:14:50Z",
        "clock_offset_seconds": 1.5,
        "clock_spread_seconds": 0.7,
        "documented": null,
        "dynamics": true,
        "dynamics_changed": "2023-11-14T22:13:20Z",
        "dynamics_version": 4711,
        "flag": "blackListEmail",
        "lead_seconds": 88.5,
        "outcome": "done",
        "reason": "campaign-newer",
        "reason_text": "Campaign's flag was cleared later, provably: it is lifted",
        "request_ids": [
          "a-1",
          "b-2"
        ],
        "result": false,
        "told_by": "=optout_1.csv row 3"
      },
      "dynamics": false,
      "dynamics_changed": "2023-11-14T22:13:20Z",
      "flag": "blackListEmail",
      "state": "settled",
      "told_by": "rest",
      "updated": "NOW"
    }
    "##);
    let listed = OptoutAction::List {
        state: Some(StateName::Held),
        same_address: false,
        json: Json { json: true },
    };
    let listed: Vec<Value> = serde_json::from_str(&said(listed, ledger).await.unwrap()).unwrap();
    let mut held = rows[1].clone();
    // Two ledgers were filled, one after the other.
    held["updated"] = listed[0]["updated"].clone();
    held["decision"]["at"] = listed[0]["decision"]["at"].clone();
    assert_eq!(listed, [held]);
}

#[tokio::test]
async fn a_contact_is_told_of_in_words_newest_decision_first() {
    let show = |json| OptoutAction::Show { id: record(1), json: Json { json } };
    let text = said(show(false), ledger).await.unwrap();
    let text = text.lines().map(|line| match line.find("Z  blackList") {
        Some(end) => format!("NOW{}", &line[end + 1..]),
        None => line.to_owned(),
    });
    insta::assert_snapshot!(text.collect::<Vec<_>>().join("\n"), @r##"
    contact 11111111-1111-1111-1111-111111111101

    blackListEmail
      Dynamics    not opted out
      Campaign    not opted out, changed 2023-11-14 22:14:50Z
      agreed      not opted out, as Campaign said
      state       settled
      last told   rest

    decisions, newest first

    NOW  blackListEmail: not opted out
      because       Campaign's flag was cleared later, provably: it is lifted
      Dynamics was  opted out, contact changed 2023-11-14 22:13:20Z, version 4711
      Campaign was  not opted out, flag changed 2023-11-14 22:14:50Z
      lead          Campaign ahead by 88.500 s
      clocks        Campaign's ahead by 1.500 s, give or take 0.700 s
      told by       =optout_1.csv row 3
      requests      a-1 b-2
      outcome       carried out

    NOW  blackListEmail: opted out
      because       Campaign gives no time for its flag, so it counts as older: opted out stays
      Dynamics was  opted out, contact changed at an unknown time
      Campaign was  not opted out, flag changed at an unknown time
      by the page   the vendor's rule taken literally: not opted out
      told by       rest
      outcome       nothing was written
    "##);
    let whole: Value = serde_json::from_str(&said(show(true), ledger).await.unwrap()).unwrap();
    let reasons: Vec<&str> = whole["decisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|decision| decision["reason"].as_str().unwrap())
        .collect();
    assert_eq!(reasons, ["campaign-newer", "no-campaign-stamp"]);
    assert_eq!(whole["flags"][0]["agreed_by"], "campaign");
    let unknown = OptoutAction::Show { id: record(9), json: Json { json: false } };
    let end = said(unknown, ledger).await.unwrap_err();
    assert_eq!(end.exit, Exit::Incomplete);
    insta::assert_snapshot!(end.to_string(), @r##"the opt-out ledger has nothing of 11111111-1111-1111-1111-111111111109: neither system ever told of an opt-out"##);
}

#[tokio::test]
async fn where_nothing_had_to_be_decided_that_is_said() {
    let show = OptoutAction::Show { id: record(1), json: Json { json: false } };
    let text = said(show, |work| flag(work, record(1), FlagState::Settled)).await.unwrap();
    let end = text.lines().last().unwrap();
    assert_eq!(end, "no decisions: both systems have said the same of each flag all along");
}

#[tokio::test]
async fn the_list_names_who_said_it_and_why() {
    insta::assert_snapshot!(said(LIST, |_| Ok(())).await.unwrap(), @r##"the opt-out ledger has nothing of this kind"##);
    let text = said(LIST, ledger).await.unwrap();
    let text = text.lines().map(|line| match line.find(" 20") {
        Some(at) => format!("{}NOW{}", &line[..=at], &line[at + 21..]),
        None => line.to_owned(),
    });
    insta::assert_snapshot!(text.collect::<Vec<_>>().join("\n"), @r##"
    contact                               flag            dynamics       campaign       agreed by  state    decided               reason
    11111111-1111-1111-1111-111111111101  blackListEmail  not opted out  not opted out  campaign   settled  NOW  Campaign's flag was cleared later, provably: it is lifted
    11111111-1111-1111-1111-111111111102  blackListEmail  not opted out  not opted out  both       held     NOW  Campaign gives no time for its flag, so it counts as older: opted out stays
    "##);
}

#[tokio::test]
async fn contacts_with_one_address_that_differ_are_listed_without_the_address() {
    let shared = |work: &mut Work<'_>| {
        for (number, address) in [(1, "Ann@x.example "), (2, "ann@X.example"), (3, "b@x.example")] {
            let print = work.address_print(address);
            work.note_address(record(number), print, 0)?;
        }
        work.hint_dynamics(record(1), &FieldName::new("blackListEmail").unwrap(), true, "x")?;
        work.hint_dynamics(record(3), &FieldName::new("blackListEmail").unwrap(), true, "x")?;
        Ok(())
    };
    let list = |json| OptoutAction::List { state: None, same_address: true, json: Json { json } };
    insta::assert_snapshot!(said(list(false), shared).await.unwrap(), @r##"
    flag            opted out                             not opted out
    blackListEmail  11111111-1111-1111-1111-111111111101  11111111-1111-1111-1111-111111111102
    "##);
    let found: Value = serde_json::from_str(&said(list(true), shared).await.unwrap()).unwrap();
    let expected = json!([{
        "flag": "blackListEmail",
        "opted_out": [record(1).to_string()],
        "not_opted_out": [record(2).to_string()],
    }]);
    assert_eq!(found, expected);
    insta::assert_snapshot!(said(list(false), |_| Ok(())).await.unwrap(), @r##"no contacts with the same address differ in their opt-outs"##);
    assert_eq!(said(list(true), |_| Ok(())).await.unwrap().trim(), "[]");
}

#[tokio::test]
async fn a_ledger_of_many_pages_is_told_whole_and_a_state_alone() {
    let many = |work: &mut Work<'_>| {
        for number in 0..=2 * PAGE {
            let mut bytes = [0x22; 16];
            bytes[8..].copy_from_slice(&(number as u64).to_be_bytes());
            let held = number % 2 == 0;
            let state = if held { FlagState::Held } else { FlagState::Settled };
            flag(work, RecordId::from_bytes(bytes), state)?;
        }
        Ok(())
    };
    let export = |format| OptoutAction::Export { format, output: None };
    let rows = said(export(ExportForm::Csv), many).await.unwrap();
    assert_eq!(rows.lines().count(), 2 * PAGE + 2, "one header");
    let rows: Vec<Value> =
        serde_json::from_str(&said(export(ExportForm::Json), many).await.unwrap()).unwrap();
    assert_eq!(rows.len(), 2 * PAGE + 1);
    let state = |state| OptoutAction::List {
        state: Some(state),
        same_address: false,
        json: Json { json: true },
    };
    for (name, count) in
        [(StateName::Held, PAGE + 1), (StateName::Settled, PAGE), (StateName::Due, 0)]
    {
        let rows: Vec<Value> =
            serde_json::from_str(&said(state(name), many).await.unwrap()).unwrap();
        assert_eq!(rows.len(), count, "{name:?}");
    }
    let empty = said(export(ExportForm::Csv), |_| Ok(())).await.unwrap();
    assert!(empty.starts_with("contact,flag,") && empty.lines().count() == 1, "{empty}");
}
