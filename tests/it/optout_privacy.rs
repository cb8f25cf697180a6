//! No personal datum and no secret in what the flow says.

use cdsync::sandbox::{Fault, FaultRule, System};
use serde_json::json;

use crate::optout_rig::{ago, both_ways, in_campaign, in_dynamics};
use crate::support::{Run, on_writes};

const MARK: &str = "Qzxmarkq";

#[test]
fn no_output_tells_a_value_or_a_secret() {
    let (world, ids) = both_ways(6);
    for id in &ids {
        let texts = json!({ "lastname": MARK, "firstname": MARK, "emailaddress1": format!("{MARK}@{MARK}.example") });
        world.change(*id, &texts);
    }
    world.synced();
    in_dynamics(&world, ids[0], true, ago(600));
    in_campaign(&world, ids[0], false, Some(ago(300)));
    in_campaign(&world, ids[1], true, Some(ago(300)));
    in_dynamics(&world, ids[2], true, ago(300));
    let sync = ["--log-level", "trace", "sync", "optout"];
    let mut runs: Vec<Run> = Vec::new();
    let poison = Fault::Status {
        code: 500,
        body: json!(format!(
            "A 'Profile' with the same key '{MARK}' already exists. {MARK}@{MARK}.example"
        ))
        .to_string(),
    };
    world.play(on_writes("PATCH", poison));
    runs.push(world.run(&sync));
    let poison = Fault::Status {
        code: 400,
        body:
            json!({"error": {"code": "0x80048d19", "message": format!("Cannot convert '{MARK}'")}})
                .to_string(),
    };
    in_campaign(&world, ids[3], true, Some(ago(30)));
    world.play(FaultRule {
        system: Some(System::Dynamics),
        method: Some("PATCH".to_owned()),
        ..FaultRule::always(poison)
    });
    runs.push(world.run(&sync));
    world.calm();
    let letters = world.dead_letters();
    assert!(!letters.is_empty());
    for letter in &letters {
        runs.push(world.run(&["dead-letters", "show", &letter["id"].to_string()]));
    }
    runs.push(world.run(&["dead-letters", "retry"]));
    runs.push(world.run(&sync));
    runs.push(world.run(&["status"]));
    for arguments in [
        &["optouts", "list"][..],
        &["optouts", "list", "--json"],
        &["optouts", "show", &ids[0].to_string()],
        &["optouts", "export"],
        &["optouts", "export", "--format", "json"],
        &["approve-optouts"],
    ] {
        runs.push(world.run(arguments));
    }
    let known = world.sandbox.credentials();
    let words =
        [MARK, &known.dynamics_client_secret, &known.campaign_client_secret, "eyJ", "Bearer "];
    for run in &runs {
        for text in [&run.stdout, &run.stderr] {
            for word in words {
                let found =
                    text.lines().find(|line| line.to_lowercase().contains(&word.to_lowercase()));
                assert!(found.is_none(), "{word} in {found:?}");
            }
        }
    }
}
