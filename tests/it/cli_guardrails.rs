//! The limits of the vendor's own connector: `check` names them with their
//! numbers, and goes on.

use std::fmt::Write as _;

use cdsync::sandbox::{Fault, FaultPlan, FaultRule};
use serde_json::{Value, json};

use crate::rig::{CONTACTS, Rig};

/// A mapping of a table that need not exist, with so many fields.
fn table(number: usize, fields: usize) -> String {
    let mut out = format!(
        "\n[[ingress.table]]\ndynamics = \"new_t{number}\"\ncampaign = \"cusT{number}\"\nkey = {{ to = \"cusCrmId\", in_uri = true }}\nfields = [\n"
    );
    for field in 0..fields {
        writeln!(out, "  {{ from = \"c{field}\", to = \"cusC{field}\" }},").unwrap();
    }
    out.push_str("]\n");
    out
}

fn warnings(checked: &Value) -> Vec<(String, String)> {
    let warnings = checked["warnings"].as_array().unwrap();
    assert!(warnings.iter().all(|warning| warning["severity"] == "warning"), "{warnings:#?}");
    let text = |warning: &Value, key: &str| warning[key].as_str().unwrap().to_owned();
    warnings.iter().map(|warning| (text(warning, "where"), text(warning, "problem"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tables_and_columns_are_warnings_with_the_number() {
    let rig = Rig::usual(0).await;
    for (tables, fields, expected) in [(20, 50, 0), (21, 50, 1), (20, 51, 1), (21, 51, 2)] {
        let mut all: String = (1..tables).map(|number| table(number, 1)).collect();
        all.push_str(&table(0, fields));
        rig.configure(&all);
        let checked = rig.run(&["check", "--offline", "--json"]).await;
        let checked = checked.expect(0).json();
        assert_eq!(checked["problems"], json!([]));
        let found = warnings(&checked);
        assert_eq!(found.len(), expected, "{tables} {fields}: {found:#?}");
        let has = |place: &str, number: &str| {
            found.iter().any(|(at, text)| at == place && text.starts_with(number))
        };
        assert!(tables == 20 || has("ingress.table", "21 tables"), "{found:#?}");
        let last = format!("ingress.table[{}].fields", tables - 1);
        assert!(fields == 50 || has(&last, "51 columns"), "{found:#?}");
    }
    let words = rig.run(&["check", "--offline"]).await;
    let words = &words.expect(0).out;
    assert!(words.contains("warning: ingress.table: 21 tables"), "{words}");
    assert!(words.ends_with("all is well\n"), "{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_that_may_take_the_target_of_a_link_along_is_a_warning() {
    let rig = Rig::usual(0).await;
    let link = "links = [ { from = \"p1\", to = \"link1\", table = \"new_t0\" } ]";
    for (options, expected) in [("", 0), ("apply_deletes = true", 1)] {
        let linked = format!("{}{link}\n{options}\n", table(1, 1));
        rig.configure(&format!("{}\n{options}{linked}", table(0, 1)));
        let checked = rig.run(&["check", "--offline", "--json"]).await;
        let found = warnings(&checked.expect(0).json());
        assert_eq!(found.len(), expected, "{options}: {found:#?}");
        for (place, problem) in found {
            assert_eq!(place, "ingress.table[1].links");
            assert!(problem.ends_with("with the record: link1"), "{problem}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_links_and_long_chains_are_warnings_with_the_number() {
    let rig = Rig::usual(0).await;
    let link = |to: usize, table: usize| {
        format!("{{ from = \"p{to}\", to = \"link{to}\", table = \"new_t{table}\" }}")
    };
    // Each table links to the one before it; the last one has more links.
    for (levels, links) in [(3, 5), (4, 5), (3, 6)] {
        let mut all = table(0, 1);
        for number in 1..levels {
            let count = if number + 1 == levels { links } else { 1 };
            let written: Vec<String> = (0..count).map(|to| link(to, number - 1)).collect();
            writeln!(all, "{}links = [{}]", table(number, 1), written.join(", ")).unwrap();
        }
        rig.configure(&all);
        let found = warnings(&rig.run(&["check", "--offline", "--json"]).await.expect(0).json());
        let expected = match (levels, links) {
            (4, _) => vec!["level 4"],
            (_, 6) => vec!["6 links"],
            _ => vec![],
        };
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        let place = format!("ingress.table[{}].links", levels - 1);
        for ((at, text), part) in found.iter().zip(expected) {
            assert!(*at == place && text.contains(part), "{found:#?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_rows_are_a_warning_and_a_long_comparison_a_note() {
    let rig = Rig::usual(3).await;
    rig.configure(CONTACTS);
    assert_eq!(warnings(&rig.run(&["check", "--json"]).await.expect(0).json()), []);
    let counts = |rows: u64| {
        json!({ "EntityRecordCountCollection":
        { "Count": 1, "IsReadOnly": false, "Keys": ["contact"], "Values": [rows] } })
        .to_string()
    };
    let many = Fault::Status { code: 200, body: counts(15_000_001) };
    let refused = Fault::Status { code: 403, body: "{}".to_owned() };
    for (fault, expected) in [(many, 1), (refused, 0)] {
        let rule = FaultRule { path: Some("RetrieveTotal".into()), ..FaultRule::always(fault) };
        rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![rule] });
        let found = warnings(&rig.run(&["check", "--json"]).await.expect(0).json());
        assert_eq!(found.len(), expected, "{found:#?}");
        assert!(found.iter().all(|(_, text)| text.contains("15000001")), "{found:#?}");
    }
    // Pages have three rows.
    rig.configure(&CONTACTS.replace("apply_deletes", "tracking = \"diff\"\napply_deletes"));
    for (rows, told) in [(30, false), (31, true)] {
        let fault = Fault::Status { code: 200, body: counts(rows) };
        let rule = FaultRule { path: Some("RetrieveTotal".into()), ..FaultRule::always(fault) };
        rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![rule] });
        let out = rig.run(&["check"]).await.expect(0).out.clone();
        assert_eq!(out.contains("31 rows of contact in 11 calls"), told, "{out}");
    }
}
