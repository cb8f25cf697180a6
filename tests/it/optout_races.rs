//! Both sides are edited while a pass runs; how soon a change is on the other
//! side, and at what cost.

use std::sync::Arc;

use cdsync::sandbox::{Fault, FaultRule, System};
use serde_json::json;

use crate::optout_rig::{
    BULK, REST, ago, both_ways, decided, email, fresh, in_campaign, in_dynamics, passed, reasons,
    settle, silent, writes,
};
use crate::support::{on_pages, on_writes, status};

#[test]
fn an_opt_out_is_on_the_other_side_after_one_pass_and_one_write() {
    let (world, ids) = both_ways(3);
    world.forget();
    in_campaign(&world, ids[0], true, Some(ago(1)));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    assert_eq!(writes(&world).len(), 1, "{:?}", writes(&world));
    world.forget();
    in_dynamics(&world, ids[1], true, ago(1));
    settle(&world);
    assert_eq!(email(&world, ids[1]), (true, true));
    assert_eq!(writes(&world).len(), 1, "{:?}", writes(&world));
    silent(&world, "one each way");
}

#[test]
fn an_opt_out_that_is_set_while_all_contacts_are_read_is_not_missed() {
    let (world, ids) = fresh("bidirectional", &format!("{REST}{BULK}"), 12);
    let file = world.path("config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("page_rows = 5000", "page_rows = 5")).unwrap();
    // Those of the first page are behind the reader by now, and the delta link of
    // the last page stands for a later moment.
    let (world, said) = (Arc::new(world), ids.clone());
    let shared = Arc::downgrade(&world);
    world.sandbox.before((System::Dynamics, "GET", "skiptoken"), 0, move || {
        if let Some(world) = shared.upgrade() {
            for id in &said {
                in_dynamics(&world, *id, true, ago(0));
            }
        }
    });
    settle(&world);
    settle(&world);
    for id in ids {
        assert_eq!(email(&world, id), (true, true), "{id}");
    }
}

#[test]
fn our_own_write_is_no_change_in_dynamics() {
    let (world, ids) = both_ways(2);
    // Campaign says no: Dynamics is written and its record is younger by that.
    in_campaign(&world, ids[0], true, Some(ago(500)));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    // Yes again, at a time before our write but after all that people did.
    in_campaign(&world, ids[0], false, Some(ago(400)));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (false, false));
    assert_eq!(decided(&world, ids[0])[1].documented, Some(true), "the page would count it");
    silent(&world, "own writes");
}

#[test]
fn an_edit_in_dynamics_during_the_pass_keeps_the_opt_out() {
    let (world, ids) = both_ways(2);
    in_dynamics(&world, ids[0], true, ago(600));
    in_campaign(&world, ids[0], false, Some(ago(300)));
    let (people, id) = (world.sandbox.dynamics(), ids[0]);
    world.sandbox.before((System::Dynamics, "PATCH", "/contacts("), 0, move || {
        people.update("contact", id, &json!({ "jobtitle": "Captain" })).unwrap();
    });
    world.forget();
    settle(&world);
    assert_eq!(world.sandbox.still_before(), 0);
    assert!(writes(&world)[0].ends_with(" 412"), "{:?}", writes(&world));
    assert_eq!(email(&world, ids[0]), (true, true));
    let decisions = decided(&world, ids[0]);
    assert_eq!(decisions[0].outcome, "dropped", "{decisions:?}");
    assert_eq!(reasons(&world, ids[0]), ["campaign-newer", "dynamics-newer"]);
    silent(&world, "412");
}

#[test]
fn an_opt_out_in_campaign_during_the_pass_is_not_lifted() {
    // Before the first look, before the second, and before the last.
    for skip in [0, 1, 2] {
        let (world, ids) = both_ways(2);
        in_dynamics(&world, ids[0], true, ago(600));
        in_campaign(&world, ids[0], false, Some(ago(300)));
        let (campaign, id) = (world.sandbox.campaign(), ids[0].to_string());
        let find = format!("externalId_parameter={id}");
        world.sandbox.before((System::Campaign, "GET", &find), skip, move || {
            campaign.set_flag_at(&id, "blackListEmail", true, Some(ago(0))).unwrap();
        });
        settle(&world);
        assert_eq!(world.sandbox.still_before(), 0, "{skip} looks are not enough");
        assert_eq!(email(&world, ids[0]), (true, true), "{skip}");
        assert!(decided(&world, ids[0]).iter().all(|it| it.outcome != "done" || it.result));
        silent(&world, "opted out meanwhile");
    }
}

#[test]
fn a_write_that_is_refused_for_now_is_done_later_and_one_refused_for_good_is_told() {
    let (world, ids) = both_ways(3);
    in_dynamics(&world, ids[0], true, ago(60));
    world.play(FaultRule { times: Some(2), ..on_writes("PATCH", status(503)) });
    settle(&world);
    world.calm();
    assert_eq!(email(&world, ids[0]), (true, true));
    in_campaign(&world, ids[1], true, Some(ago(60)));
    let body = json!({"error": {"code": "0x80040230", "message": "The contact is inactive."}});
    let refusal = Fault::Status { code: 400, body: body.to_string() };
    world.play(FaultRule {
        system: Some(System::Dynamics),
        method: Some("PATCH".to_owned()),
        ..FaultRule::always(refusal)
    });
    passed(&world).ends(1);
    world.calm();
    assert_eq!(email(&world, ids[1]), (false, true), "Campaign stays opted out");
    let letters = world.dead_letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (&letters[0]["flow"], &letters[0]["record"]),
        (&json!("optout"), &json!(ids[1].to_string()))
    );
    world.run(&["dead-letters", "retry"]).ends(0);
    settle(&world);
    assert_eq!(email(&world, ids[1]), (true, true));
    assert!(world.dead_letters().is_empty());
    silent(&world, "after a refusal");
}

#[test]
fn a_pass_that_goes_on_where_another_ended_sees_who_opted_out_since() {
    let (world, ids) = both_ways(12);
    let file = world.path("config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("page_rows = 5000", "page_rows = 5")).unwrap();
    for id in &ids {
        world.change(*id, &json!({ "jobtitle": "squire" }));
    }
    let refused = Fault::Status { code: 403, body: String::new() };
    world.play(FaultRule { path: Some("skiptoken".to_owned()), ..on_pages(refused) });
    passed(&world).ends(3);
    world.calm();
    // On a page that was read already.
    for id in &ids {
        in_dynamics(&world, *id, true, ago(0));
    }
    settle(&world);
    for id in ids {
        assert_eq!(email(&world, id), (true, true), "{id}");
    }
}
