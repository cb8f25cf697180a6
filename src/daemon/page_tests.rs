//! The text of `/metrics`, read back as a scraper reads it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::page::page;
use super::vitals::Vitals;
use crate::app::{
    Closed, FlowStatus, JournalStatus, Lag, PassEnd, PassReport, Status, SystemLoad, SystemStatus,
    TableStatus, Watch, Way,
};
use crate::clock::Clock;
use crate::model::{Flow, TableName, TallyDelta};
use crate::store::{Counts, Gap, HeldWave};
use crate::telemetry::{Form, Kind, METRICS, catalogue};

fn flow(flow: Flow, state: &'static str) -> FlowStatus {
    let at = Timestamp::from_second(1_800_000_000).unwrap();
    FlowStatus {
        flow,
        state,
        backlog: 7,
        dead_letters: 2,
        last_success: (flow == Flow::Ingress).then_some(at),
        lag_seconds: 90,
        oldest: None,
        budget_until: None,
        last_run: (flow == Flow::Ingress)
            .then_some(Counts { duration_ms: 1500, ..Counts::default() }),
    }
}

fn table(name: &str) -> TableStatus {
    TableStatus {
        table: TableName::new(name).unwrap(),
        phase: "delta",
        backlog: 4,
        dead_letters: 1,
        last_success: None,
        lag_seconds: 30,
        mapped: 12_345_678,
        held: HeldWave { held: 3, ..HeldWave::default() },
        cursor_age_seconds: Some(60),
        retention_seconds: 604_800,
        empty_read: true,
        waiting_for_parent: 5,
        waiting_for_children: 6,
    }
}

fn system() -> SystemStatus {
    let load = SystemLoad {
        system: "campaign",
        calls_today: 40,
        closed: Closed::Ordinary,
        calls: 11,
        token_calls: 1,
        throttled: 2,
        retries: 3,
        in_flight: 4,
        in_flight_limit: 8,
        window_calls: 0,
        window_limit: 50,
        window_seconds: 1,
        pause_seconds: Some(12),
        silent: true,
    };
    SystemStatus {
        system: "campaign",
        calls_today: 40,
        requests_per_day: Some(50),
        kept_for_optouts: 10,
        closed: Closed::Ordinary,
        day_ends: Timestamp::UNIX_EPOCH,
        live: Some(load),
    }
}

fn text(form: Form) -> String {
    let lag = Lag {
        flow: Flow::Optout,
        table: TableName::new("contact").unwrap(),
        way: Way::ToDynamics,
        backlog: 21,
        oldest: None,
        lag_seconds: Some(22),
    };
    let journal = JournalStatus {
        last_event_age_seconds: None,
        read_age_seconds: Some(33),
        retention_seconds: 604_800,
    };
    let status = Status {
        flows: vec![
            flow(Flow::Ingress, "running"),
            flow(Flow::Egress, "idle"),
            flow(Flow::Optout, "stopped"),
        ],
        tables: vec![table("contact"), table("new_vehicle")],
        lags: vec![lag],
        journal: Some(journal),
        systems: vec![system()],
        unmapped: Vec::new(),
        resyncs: Vec::new(),
        last_slice: None,
        gaps: vec![Gap { id: 1, from: None, to: Timestamp::UNIX_EPOCH }],
        daemon: true,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _inside = runtime.enter();
    let vitals = Vitals::new(&Clock::seeded(1));
    let counts = Counts { written: 9, dead_lettered: 1, duration_ms: 2500, ..Counts::default() };
    vitals.ended(Flow::Ingress, &PassReport::test(PassEnd::Incomplete, counts));
    let counts = TallyDelta { written: 2, ..TallyDelta::default() };
    vitals.watched(Flow::Ingress, Watch { counts, backlog: 0 });
    page(&status, &vitals, &catalogue()).text(form)
}

/// What a scraper makes of it: kind by family, number by sample.
struct Read {
    kinds: BTreeMap<String, String>,
    samples: BTreeMap<String, f64>,
}

/// Reads strictly: one HELP and one TYPE a family, its samples beneath, none
/// twice.
fn read(text: &str) -> Read {
    let mut read = Read { kinds: BTreeMap::new(), samples: BTreeMap::new() };
    let mut helped = BTreeSet::new();
    let mut family = String::new();
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words.as_slice() {
            ["#", "HELP", name, help] => {
                assert!(helped.insert((*name).to_owned()), "{name} comes twice");
                assert!(!help.is_empty() && !help.starts_with(' '), "{line}");
            }
            ["#", "TYPE", name, kind] => {
                assert!(helped.contains(*name), "{name} without HELP");
                family = (*name).to_owned();
                read.kinds.insert(family.clone(), (*kind).to_owned());
            }
            ["#", "EOF"] => family = "after the end".to_owned(),
            [sample, number] => {
                let name = sample.split('{').next().unwrap();
                assert!(name == family || name == format!("{family}_total"), "{line} in {family}");
                let new = read.samples.insert((*sample).to_owned(), number.parse().unwrap());
                assert_eq!(new, None, "{line} comes twice");
            }
            other => panic!("{other:?}"),
        }
    }
    read
}

#[test]
fn every_number_of_the_status_can_be_read_back() {
    for form in [Form::OpenMetrics, Form::Prometheus] {
        let text = text(form);
        let Read { samples, .. } = read(&text);
        let expected = [
            ("cdsync_flow_state{flow=\"ingress\",state=\"running\"}", 1.0),
            ("cdsync_flow_state{flow=\"ingress\",state=\"failed\"}", 0.0),
            ("cdsync_flow_state{flow=\"optout\",state=\"stopped\"}", 1.0),
            ("cdsync_backlog_records{flow=\"egress\"}", 7.0),
            ("cdsync_dead_letters{flow=\"ingress\"}", 2.0),
            ("cdsync_lag_seconds{flow=\"ingress\"}", 90.0),
            ("cdsync_last_success_timestamp_seconds{flow=\"ingress\"}", 1.8e9),
            ("cdsync_last_pass_duration_seconds{flow=\"ingress\"}", 1.5),
            ("cdsync_table_records{table=\"contact\"}", 12_345_678.0),
            ("cdsync_table_held_deletes{table=\"new_vehicle\"}", 4.0),
            ("cdsync_table_linked_waiting_records{table=\"contact\"}", 11.0),
            ("cdsync_table_cursor_age_seconds{table=\"contact\"}", 60.0),
            ("cdsync_table_cursor_retention_seconds{table=\"contact\"}", 604_800.0),
            (
                "cdsync_table_backlog_records{flow=\"optout\",table=\"contact\",direction=\"campaign-to-dynamics\"}",
                21.0,
            ),
            (
                "cdsync_table_lag_seconds{flow=\"optout\",table=\"contact\",direction=\"campaign-to-dynamics\"}",
                22.0,
            ),
            ("cdsync_journal_gaps", 1.0),
            ("cdsync_journal_read_age_seconds", 33.0),
            ("cdsync_calls_today{system=\"campaign\"}", 40.0),
            ("cdsync_day_budget_calls{system=\"campaign\"}", 50.0),
            ("cdsync_day_budget_closed{system=\"campaign\",calls=\"ordinary\"}", 1.0),
            ("cdsync_day_budget_closed{system=\"campaign\",calls=\"all\"}", 0.0),
            ("cdsync_pause_seconds{system=\"campaign\"}", 12.0),
            ("cdsync_passes_total{flow=\"ingress\",outcome=\"incomplete\"}", 1.0),
            ("cdsync_passes_total{flow=\"egress\",outcome=\"failed\"}", 0.0),
            ("cdsync_pass_seconds_total{flow=\"ingress\"}", 2.5),
            ("cdsync_records_total{flow=\"ingress\",outcome=\"written\"}", 11.0),
            ("cdsync_records_total{flow=\"ingress\",outcome=\"dead_lettered\"}", 1.0),
            ("cdsync_calls_total{system=\"campaign\"}", 11.0),
            ("cdsync_throttled_total{system=\"campaign\"}", 2.0),
            ("cdsync_requests_in_flight{system=\"campaign\"}", 4.0),
            ("cdsync_system_unreachable{system=\"campaign\"}", 1.0),
        ];
        for (sample, number) in expected {
            assert_eq!(samples.get(sample), Some(&number), "{sample} in {text}");
        }
        // What never was is not shown as 1970.
        assert!(!samples.contains_key("cdsync_last_success_timestamp_seconds{flow=\"egress\"}"));
        // Nothing is counted of a flow that is not configured.
        assert!(!samples.keys().any(|it| it.contains("passes") && it.contains("optout")));
        let event = "cdsync_events_total{event=\"record.dead_lettered\",level=\"warn\"}";
        assert!(samples.contains_key(event), "{text}");
        assert_eq!(text.ends_with("# EOF\n"), form == Form::OpenMetrics);
    }
}

#[test]
fn the_text_has_every_family_of_the_catalogue_and_no_other() {
    let Read { kinds, samples } = read(&text(Form::Prometheus));
    let documented: BTreeMap<String, String> =
        METRICS.iter().map(|it| (it.name.to_owned(), it.kind.as_str().to_owned())).collect();
    assert_eq!(kinds, documented);
    for metric in METRICS {
        let counter = metric.kind == Kind::Counter;
        assert_eq!(counter, metric.name.ends_with("_total"), "{}", metric.name);
        assert!(metric.name.starts_with("cdsync_") && metric.help.ends_with('.'), "{metric:?}");
        let labelled: Vec<&String> =
            samples.keys().filter(|sample| sample.split('{').next() == Some(metric.name)).collect();
        assert!(!labelled.is_empty(), "{}", metric.name);
        for sample in labelled {
            let names: Vec<&str> = sample
                .split_once('{')
                .map(|(_, labels)| labels.split(',').filter_map(|it| it.split('=').next()))
                .into_iter()
                .flatten()
                .collect();
            assert_eq!(names, metric.labels, "{sample}");
        }
    }
    let open = read(&text(Form::OpenMetrics)).kinds;
    assert!(open.contains_key("cdsync_calls") && !open.contains_key("cdsync_calls_total"));
}

#[test]
fn a_label_cannot_break_out_of_its_quotes() {
    let mut page = crate::telemetry::Page::default();
    page.add(&crate::telemetry::TABLE_RECORDS, ["a\"} 1\n\\"], 2.0);
    let text = page.text(Form::OpenMetrics);
    let sample = "cdsync_table_records{table=\"a\\\"} 1\\n\\\\\"} 2";
    assert!(text.lines().any(|line| line == sample), "{text}");
}
