//! What the application user must be allowed, and whether it is.
//! `docs/permissions.md` says the same to people; a test compares the two.

use std::collections::BTreeMap;

use crate::app::App;
use crate::app::explore::{Finding, FindingKind};
use crate::config::Config;
use crate::dynamics::{Held, Reach, TablePrivilege};
use crate::mapping::spec::Tracking;
use crate::model::TableName;
use crate::model::consent::Direction;

/// A right on a table, by its name in metadata (`PrivilegeType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Right {
    Create,
    Read,
    Write,
    Append,
    AppendTo,
}

impl Right {
    fn as_str(self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Append => "Append",
            Self::AppendTo => "AppendTo",
        }
    }
}

/// On each activity table. A PATCH that makes a row needs Write beside Create;
/// binding the contact needs Append here and `AppendTo` there.
const ON_ACTIVITIES: [Right; 4] = [Right::Create, Right::Read, Right::Write, Right::Append];

/// On contacts, which events are about.
const ON_CONTACTS: [Right; 2] = [Right::Read, Right::AppendTo];

/// On contacts, for opt-out flags that come from Campaign.
const FOR_FLAGS: [Right; 2] = [Right::Read, Right::Write];

/// One thing that must be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Need {
    table: TableName,
    right: Right,
    /// For all rows of the organization: change tracking refuses less (Dynamics
    /// sheet, 1.5).
    all_rows: bool,
}

/// What the flows of this configuration need.
fn needs(config: &Config) -> Vec<Need> {
    let mut needs = Vec::new();
    let tables = config.ingress.iter().flat_map(|ingress| &ingress.tables);
    for spec in tables {
        let all_rows = spec.tracking == Tracking::Changes;
        needs.push(Need { table: spec.dynamics.clone(), right: Right::Read, all_rows });
    }
    let Ok(contact) = TableName::new("contact") else { return needs };
    let need =
        |table: &TableName, right: Right| Need { table: table.clone(), right, all_rows: false };
    if let Some(egress) = &config.egress {
        for table in egress.events.iter().filter_map(|kind| egress.tables.get(kind)) {
            needs.extend(ON_ACTIVITIES.map(|right| need(table, right)));
        }
        needs.extend(ON_CONTACTS.map(|right| need(&contact, right)));
    }
    let into_dynamics = |direction: Direction| match direction {
        Direction::DynamicsToCampaign => false,
        Direction::CampaignToDynamics | Direction::Bidirectional => true,
    };
    if config.optout.as_ref().is_some_and(|optout| into_dynamics(optout.direction)) {
        needs.extend(FOR_FLAGS.map(|right| need(&contact, right)));
    }
    needs
}

/// Asks for the user's privileges and for those that the tables have.
pub(super) async fn right_findings(app: &App, user: &str) -> Vec<Finding> {
    let needs = needs(&app.config);
    if needs.is_empty() {
        return Vec::new();
    }
    let Ok(Some(held)) = app.dynamics.held_privileges(user).await else {
        return vec![note(
            "the privileges of the application user cannot be read, so they are not compared with docs/permissions.md".to_owned(),
        )];
    };
    let mut known: BTreeMap<&TableName, Vec<TablePrivilege>> = BTreeMap::new();
    for need in &needs {
        if !known.contains_key(&need.table) {
            // A table that is not there has a finding of its own.
            let found = app.dynamics.table_privileges(&need.table).await.unwrap_or_default();
            known.insert(&need.table, found);
        }
    }
    judge(&needs, &known, &held)
}

/// One finding for each privilege that is missing, whatever tables share it.
fn judge(
    needs: &[Need],
    known: &BTreeMap<&TableName, Vec<TablePrivilege>>,
    held: &Held,
) -> Vec<Finding> {
    let mut missing: BTreeMap<(&str, bool), Vec<String>> = BTreeMap::new();
    for need in needs {
        let named = |one: &&TablePrivilege| one.privilege_type == need.right.as_str();
        let all = known.get(&need.table).map_or(&[][..], Vec::as_slice);
        let Some(privilege) = all.iter().find(named) else { continue };
        // Of several that would do, the one that reaches farthest.
        let reach = all.iter().filter(named).map(|one| held.reach(one)).max();
        let reach = reach.unwrap_or(Reach::Nothing);
        let narrow = match reach {
            Reach::All => continue,
            Reach::Some if !need.all_rows => continue,
            Reach::Some => true,
            Reach::Nothing => false,
        };
        let place = format!("{} on {}", need.right.as_str(), need.table);
        let places = missing.entry((&privilege.name, narrow)).or_default();
        if !places.contains(&place) {
            places.push(place);
        }
    }
    missing.into_iter().map(|((name, narrow), places)| finding(name, narrow, &places)).collect()
}

fn finding(name: &str, narrow: bool, places: &[String]) -> Finding {
    let problem = if narrow {
        format!("the privilege {name} does not reach the whole organization")
    } else {
        format!("the privilege {name} is missing")
    };
    Finding {
        place: "dynamics role".to_owned(),
        problem,
        hint: format!(
            "in the application user's security role allow {}{}; docs/permissions.md lists the whole role",
            places.join(", "),
            if narrow { ", at the level Organization" } else { "" },
        ),
        kind: FindingKind::Refused,
    }
}

fn note(text: String) -> Finding {
    Finding {
        place: "dynamics role".to_owned(),
        problem: text,
        hint: String::new(),
        kind: FindingKind::Note,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const PAGE: &str = include_str!("../../docs/permissions.md");

    /// What the flows need that belongs to no table of theirs.
    const RUNNING: [&str; 6] = [
        "prvReadOrganization",
        "prvReadEntity",
        "prvReadAttribute",
        "prvReadRelationship",
        "prvReadOptionSet",
        "prvReadEntityKey",
    ];

    /// What `provision` sends, or reads for it.
    const PROVISIONING: [&str; 19] = [
        "prvReadOrganization",
        "prvReadEntity",
        "prvReadAttribute",
        "prvReadRelationship",
        "prvReadOptionSet",
        "prvReadEntityKey",
        "prvCreateEntity",
        "prvWriteEntity",
        "prvCreateAttribute",
        "prvCreateRelationship",
        "prvPublishCustomization",
        "prvReadPublisher",
        "prvCreatePublisher",
        "prvAppendToPublisher",
        "prvReadSolution",
        "prvCreateSolution",
        "prvWriteSolution",
        "prvAppendSolution",
        "prvImportCustomization",
    ];

    /// The privileges that a part of the page puts into its table.
    fn listed(heading: &str) -> BTreeSet<String> {
        let from = PAGE.split_once(&format!("## {heading}\n")).unwrap().1;
        let part = from.split("\n## ").next().unwrap();
        let rows = part.lines().filter(|line| line.starts_with("| `prv"));
        rows.map(|row| row.split('`').nth(1).unwrap().to_owned()).collect()
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_page_lists_the_privileges_that_the_code_asks_for() {
        let mut running = set(&RUNNING);
        running.extend(ON_ACTIVITIES.map(|right| format!("prv{}Activity", right.as_str())));
        running.extend(ON_CONTACTS.map(|right| format!("prv{}Contact", right.as_str())));
        running.extend(FOR_FLAGS.map(|right| format!("prv{}Contact", right.as_str())));
        running.insert("prvRead<Table>".to_owned());
        running.insert("prvReadUser".to_owned());
        running.insert("prvReadRole".to_owned());
        assert_eq!(listed("The role that runs cdsync"), running);
        assert_eq!(listed("The role that provisions"), set(&PROVISIONING));
        assert!(PAGE.contains("System Administrator"));
    }
}
