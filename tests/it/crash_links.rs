//! A crash at every commit and at every request of a pass over linked tables:
//! after a restart every child has its parent, and nothing is doubled.

use cdsync::sandbox::Sandbox;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::crash::{SYNC, Stage, nothing_is_unique, pass};
use crate::ingress_links::vehicles;
use crate::rig::{CONTACTS, Rig};

fn owned(owner: Uuid, name: &str) -> Value {
    json!({ "new_name": name, "new_ContactId@odata.bind": format!("/contacts({owner})") })
}

fn first_load(sandbox: &Sandbox) {
    let dynamics = sandbox.dynamics();
    for (number, owner) in dynamics.ids("contact").into_iter().cycle().take(4).enumerate() {
        dynamics.insert("new_vehicle", &owned(owner, &format!("Car {number}"))).unwrap();
    }
}

/// A child moves, a family goes, a family comes.
fn changes(sandbox: &Sandbox) {
    let dynamics = sandbox.dynamics();
    let (contacts, cars) = (dynamics.ids("contact"), dynamics.ids("new_vehicle"));
    dynamics.update("new_vehicle", cars[0], &owned(contacts[1], "Moved")).unwrap();
    let of = |car: Uuid| dynamics.get("new_vehicle", car).unwrap()["_new_contactid_value"].clone();
    let leaving = contacts[2].to_string();
    for car in cars.iter().filter(|car| of(**car) == json!(leaving)) {
        assert!(dynamics.delete("new_vehicle", *car));
    }
    assert!(dynamics.delete("contact", contacts[2]));
    let new = json!({ "firstname": "New", "lastname": "Owner" });
    let new = dynamics.insert("contact", &new).unwrap();
    dynamics.insert("new_vehicle", &owned(new, "New car")).unwrap();
}

/// What differs between vehicles on both sides.
fn differences(rig: &Rig) -> Vec<String> {
    let (dynamics, campaign) = (rig.sandbox.dynamics(), rig.sandbox.campaign());
    let mut found = Vec::new();
    let ids = dynamics.ids("new_vehicle");
    for id in &ids {
        let row = dynamics.get("new_vehicle", *id).unwrap();
        let held = campaign.by_key("cusVehicle", "cusVehicleId", &id.to_string());
        match held.as_slice() {
            [one] if one["cusName"] != row["new_name"] => found.push(format!("{id}: name")),
            [one] if one["vehicleOwner"]["key"] != row["_new_contactid_value"] => {
                found.push(format!("{id}: owner"));
            }
            [_] => {}
            several => found.push(format!("{id} is there {} times", several.len())),
        }
    }
    if campaign.count("cusVehicle") != ids.len() {
        found.push("vehicles are left over".to_owned());
    }
    found
}

async fn sweep(point: &str) {
    let stages: [Stage; 2] = [("first load", first_load), ("changes", changes)];
    let mut open = [true; 2];
    let mut n = 0;
    while let Some(last) = open.iter().rposition(|open| *open) {
        n += 1;
        let rig = Rig::start(3, nothing_is_unique()).await;
        rig.configure(&format!("{}{CONTACTS}", vehicles("")));
        for (stage, (name, change)) in stages.iter().enumerate().take(last + 1) {
            let when = format!("{point}:{n}, {name}");
            change(&rig.sandbox);
            if open[stage] {
                open[stage] = pass(&rig, &format!("{point}:{n}"), None, &when).await.is_some();
            } else {
                rig.run(SYNC).await.expect(0);
            }
            rig.assert_equal(&when);
            assert_eq!(differences(&rig), [""; 0], "{when}");
        }
    }
    assert!(n > 12, "{point} was hit {n} times at most: the plan does not work");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_commit_loses_no_child() {
    sweep("commit").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_after_any_commit_loses_no_child() {
    sweep("committed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_before_any_request_loses_no_child() {
    sweep("request").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_after_any_answer_loses_no_child() {
    sweep("answered").await;
}
