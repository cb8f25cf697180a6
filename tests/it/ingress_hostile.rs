//! Answers that no pass can use: links abroad, redirects, bodies without end,
//! and replies of another kind.

use std::net::TcpListener;

use cdsync::sandbox::{Fault, FaultRule, System, Variants};
use serde_json::json;

use crate::support::{FIELDS, Setup, World, by_filter, by_uri, on_pages, on_writes};

/// A place that nobody may call.
pub(crate) struct Tripwire(TcpListener);

impl Tripwire {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    #[track_caller]
    pub(crate) fn untouched(&self) {
        assert!(self.0.accept().is_err(), "somebody came");
    }
}

fn small(tables: String) -> World {
    let variants = Variants { unique_external_id: false, ..Variants::default() };
    World::new(Setup { contacts: 12, page_rows: 5, tables, variants, ..Setup::default() })
}

#[test]
fn a_link_abroad_is_not_followed_and_fails_the_table_by_name() {
    for path in ["/contacts?", "_forcePagination"] {
        let tripwire = Tripwire::new();
        let world = small(by_filter("", FIELDS));
        world.sandbox.campaign().insert("profile", &json!({ "lastName": "Is there" })).unwrap();
        world.play(FaultRule {
            path: Some(path.to_owned()),
            ..FaultRule::always(Fault::ForeignLink { to: tripwire.origin() })
        });
        let run = world.sync().ends(1);
        tripwire.untouched();
        let reason = run.event("table.failed")["reason"].as_str().unwrap().to_owned();
        assert!(reason.contains("another") || reason.contains("origin"), "{reason}");
        assert!(world.writes().is_empty());
        world.calm();
        world.synced();
        assert_eq!(world.sandbox.campaign().count("profile"), 13);
    }
}

#[test]
fn a_record_whose_address_leads_abroad_is_never_written_there() {
    for method in ["POST", "PATCH", "GET"] {
        let tripwire = Tripwire::new();
        let world = small(by_filter("", FIELDS));
        if method != "POST" {
            world.equal_after_sync();
            world.change(world.contacts()[0], &json!({ "lastname": "Changed" }));
        }
        let rule = on_writes(method, Fault::ForeignLink { to: tripwire.origin() });
        let path = (method == "GET").then(|| "byExternalId".to_owned());
        world.play(FaultRule { path, ..rule });
        let run = world.sync();
        tripwire.untouched();
        if method != "PATCH" {
            assert_eq!(run.code, 1, "{method}: {}", run.stderr);
            let reason = run.event("flow.stopped")["reason"].as_str().unwrap().to_owned();
            assert!(reason.contains("another") || reason.contains("origin"), "{reason}");
        }
        world.calm();
        world.run(&["dead-letters", "retry"]).ends(0);
        world.equal_after_sync();
        tripwire.untouched();
    }
}

#[test]
fn a_redirect_is_not_followed() {
    for rule in [
        on_pages as fn(Fault) -> FaultRule,
        |fault| on_writes("POST", fault),
        |fault| FaultRule { system: Some(System::Entra), ..FaultRule::always(fault) },
        |fault| FaultRule { system: Some(System::Ims), ..FaultRule::always(fault) },
    ] {
        let tripwire = Tripwire::new();
        let world = small(by_filter("", FIELDS));
        world.play(rule(Fault::Redirect { to: format!("{}/x", tripwire.origin()) }));
        let run = world.sync_for("2");
        assert!(run.code != 0, "{}", run.stderr);
        tripwire.untouched();
        world.calm();
        world.equal_after_sync();
    }
}

#[test]
fn bodies_without_end_are_given_up_and_do_not_last() {
    const MIB: u64 = 1 << 20;
    for fault in [Fault::HugeBody { bytes: 80 * MIB }, Fault::GzipBomb { bytes: 2048 * MIB }] {
        let name = fault.name();
        let world = small(by_filter("", FIELDS));
        world.play(FaultRule { times: Some(1), ..on_pages(fault.clone()) });
        let run = world.sync();
        assert!(run.code == 0 || run.code == 1, "{name} {}", run.stderr);
        world.equal_after_sync();
        world.change(world.contacts()[0], &json!({ "lastname": name }));
        world.play(FaultRule { times: Some(1), ..on_writes("PATCH", fault) });
        world.equal_after_sync();
    }
}

#[test]
fn empty_pages_without_end_and_links_that_lead_back_make_no_endless_read() {
    let world = small(by_filter("", FIELDS));
    world.play(on_pages(Fault::EmptyPage));
    let run = world.sync().ends(1);
    run.event("table.failed");
    world.calm();
    world.equal_after_sync();
    world.sandbox.dynamics().expire_tokens();
    world.synced();
    let link = format!("{}/api/data/v9.2/contacts?$skiptoken=x", world.sandbox.origin());
    let id = world.contacts()[0].to_string();
    let body = json!({ "value": [{ "contactid": id }], "@odata.nextLink": link }).to_string();
    world.forget();
    world.play(on_pages(Fault::Status { code: 200, body }));
    let run = world.sync().ends(1);
    let reason = run.event("table.failed")["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("leads back"), "{reason}");
    assert!(world.pages().len() < 5);
    assert!(world.writes().is_empty());
    world.calm();
    world.change(world.contacts()[1], &json!({ "lastname": "Healed" }));
    world.equal_after_sync();
}

#[test]
fn pages_of_another_kind_are_no_empty_pages() {
    let world = small(by_filter("apply_deletes = true", FIELDS));
    world.equal_after_sync();
    world.forget();
    world.sandbox.dynamics().expire_tokens();
    world.play(on_pages(Fault::WrongContent));
    let run = world.sync();
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(world.writes().is_empty());
    world.calm();
    world.equal_after_sync();
}

#[test]
fn replies_of_another_kind_are_no_success() {
    std::thread::scope(|scope| {
        for method in ["POST", "PATCH", "GET", "DELETE"] {
            for lookup in [by_filter, by_uri] {
                scope.spawn(move || {
                    takes_no_such_reply(lookup("apply_deletes = true", FIELDS), method);
                });
            }
        }
    });
}

/// Meets one reply of another kind to a request with this method.
fn takes_no_such_reply(tables: String, method: &str) {
    let world = small(tables);
    world.equal_after_sync();
    world.add(&json!({ "lastname": "New" }));
    world.change(world.contacts()[0], &json!({ "lastname": "Changed" }));
    world.delete(world.contacts()[1]);
    world.play(FaultRule { times: Some(1), ..on_writes(method, Fault::WrongContent) });
    let run = world.sync();
    assert!(run.code <= 1, "{method} {}", run.stderr);
    world.calm();
    world.run(&["dead-letters", "retry"]).ends(0);
    let run = world.sync();
    assert_eq!(run.code, 0, "{method} {}", run.stderr);
    let differences = crate::ingress_compare::compare(&world.sandbox);
    assert!(differences.is_empty(), "{method}: {differences:#?}");
}
