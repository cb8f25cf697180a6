//! `init --template`: each ready-made mapping passes `check` and carries its
//! rows, alone and with all others.

use std::fs;

use serde_json::{Value, json};

use crate::rig::{Ended, Rig, bare, finish};

/// Name, table, resource and key field of every template.
const TEMPLATES: [(&str, &str, &str, &str); 8] = [
    ("contacts", "contact", "profile", "externalId"),
    ("accounts", "account", "cusAccount", "cusCrmId"),
    ("leads", "lead", "cusLead", "cusCrmId"),
    ("opportunities", "opportunity", "cusOpportunity", "cusCrmId"),
    ("opportunity-contact-roles", "customeropportunityrole", "cusOpportunityRole", "cusCrmId"),
    ("campaigns", "campaign", "cusCampaign", "cusCrmId"),
    ("marketing-lists", "list", "cusList", "cusCrmId"),
    ("marketing-list-members", "listmember", "cusListMember", "cusCrmId"),
];

/// The configuration that `init` writes for these templates.
async fn written(names: &[&str]) -> String {
    let mut arguments = vec!["init", "-"];
    for name in names {
        arguments.extend(["--template", name]);
    }
    finish(bare(&arguments)).await.expect(0).out.clone()
}

/// Its mappings, for the systems of a rig.
async fn use_templates(rig: &Rig, names: &[&str]) {
    let text = written(names).await;
    let start = text.find("[[ingress.table]]").unwrap();
    rig.configure(&text[start..]);
}

async fn synced(rig: &Rig) -> Ended {
    let ended = rig.run(&["--log-format", "json", "sync"]).await;
    ended.expect(0).adds_up();
    ended
}

#[tokio::test]
async fn the_templates_are_listed_also_where_a_name_is_unknown() {
    let list = finish(bare(&["init", "--template", "list"])).await;
    let unknown = finish(bare(&["init", "-", "--template", "contact"])).await;
    for (name, table, resource, _) in TEMPLATES {
        for text in [&list.expect(0).out, &unknown.expect(2).err] {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            assert!(line.contains(table) && line.contains(resource), "{line}");
        }
    }
    assert_eq!(list.out.lines().count(), TEMPLATES.len() + 1, "{}", list.out);
    assert_eq!(unknown.out, "");
    let both = finish(bare(&["init", "-", "--template", "leads", "--from-metadata"])).await;
    both.expect(2);
}

#[tokio::test]
async fn each_template_passes_the_offline_check_alone_and_with_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.toml");
    let all = TEMPLATES.map(|(name, ..)| name);
    let mut sets: Vec<Vec<&str>> = all.iter().map(|name| vec![*name]).collect();
    sets.push(all.to_vec());
    // Twice and from the last to the first is the same.
    sets.push(all.iter().rev().chain(&all).copied().collect());
    let mut texts = Vec::new();
    for set in sets {
        let text = written(&set).await;
        fs::write(&file, &text).unwrap();
        let name = file.to_str().unwrap();
        finish(bare(&["check", "--offline", "--config", name])).await.expect(0);
        texts.push(text);
    }
    let [.., together, reversed] = texts.as_slice() else { panic!("two") };
    assert_eq!(together, reversed);
    assert!(!together.contains("# links"), "with all of them every link is active");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_template_alone_passes_check_and_carries_every_row() {
    for (name, table, resource, _) in TEMPLATES {
        let rig = Rig::usual(30).await;
        use_templates(&rig, &[name]).await;
        rig.run(&["check"]).await.expect(0);
        synced(&rig).await;
        let rows = rig.sandbox.dynamics().count(table);
        assert!(rows > 0, "{name}: nothing to carry");
        assert_eq!(rig.sandbox.campaign().count(resource), rows, "{name}");
        let again = synced(&rig).await;
        assert_eq!(again.events("flow.finished")[0]["written"], 0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_templates_together_carry_rows_and_links() {
    let rig = Rig::usual(60).await;
    use_templates(&rig, &TEMPLATES.map(|(name, ..)| name)).await;
    rig.run(&["check"]).await.expect(0);
    synced(&rig).await;
    let (dynamics, campaign) = (rig.sandbox.dynamics(), rig.sandbox.campaign());
    for (name, table, resource, key) in TEMPLATES {
        let ids = dynamics.ids(table);
        assert_eq!(campaign.count(resource), ids.len(), "{name}");
        for id in ids {
            assert_eq!(campaign.by_key(resource, key, &id.to_string()).len(), 1, "{name} {id}");
        }
    }
    let one = |resource: &str, id: &Value| {
        let mut found = campaign.by_key(resource, "cusCrmId", id.as_str().unwrap());
        found.pop().unwrap()
    };
    for id in dynamics.ids("opportunity") {
        let row = dynamics.get("opportunity", id).unwrap();
        let written = one("cusOpportunity", &json!(id));
        assert_eq!(written["cusName"], row["name"]);
        let linked = !row["_parentaccountid_value"].is_null();
        assert_eq!(written["opportunityAccount"].is_object(), linked, "{written:#?}");
    }
    for id in dynamics.ids("listmember") {
        let row = dynamics.get("listmember", id).unwrap();
        let written = one("cusListMember", &json!(id));
        assert_eq!(written["cusMemberType"], row["entitytype"]);
        assert!(written["memberList"].is_object(), "{written:#?}");
        for (kind, link) in [("contact", "memberContact"), ("account", "memberAccount")] {
            assert_eq!(written[link].is_object(), row["entitytype"] == kind, "{written:#?}");
        }
    }
    let again = synced(&rig).await;
    assert_eq!(again.events("flow.finished")[0]["written"], 0, "{again:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_leaves_its_list_is_found_without_change_tracking() {
    let rig = Rig::usual(40).await;
    use_templates(&rig, &["marketing-list-members"]).await;
    let text = fs::read_to_string(rig.path("config.toml")).unwrap();
    let text = text.replace("apply_deletes = false", "apply_deletes = true");
    fs::write(rig.path("config.toml"), text).unwrap();
    synced(&rig).await;
    let (dynamics, campaign) = (rig.sandbox.dynamics(), rig.sandbox.campaign());
    let members = dynamics.ids("listmember");
    assert!(dynamics.delete("listmember", members[1]));
    let finished = synced(&rig).await.events("flow.finished")[0].clone();
    assert_eq!((&finished["deleted"], &finished["written"]), (&json!(1), &json!(0)));
    assert_eq!(campaign.count("cusListMember"), members.len() - 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_intersect_table_is_replayed_and_compared_like_any_other() {
    let rig = Rig::usual(40).await;
    use_templates(&rig, &["marketing-list-members"]).await;
    synced(&rig).await;
    let member = rig.sandbox.dynamics().ids("listmember")[0].to_string();
    let requests: [&[&str]; 3] = [
        &["resync", "--table", "listmember", "--verify"],
        &["resync", "--table", "listmember", "--id", &member],
        &["resync", "--table", "listmember"],
    ];
    for arguments in requests {
        let ended = rig.run(arguments).await;
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:#?}");
    }
    let again = synced(&rig).await;
    assert_eq!(again.events("flow.finished")[0]["written"], 0, "{again:#?}");
    rig.run(&["trace", &member]).await.expect(0);
}
