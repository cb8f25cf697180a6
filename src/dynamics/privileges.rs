//! What the caller's roles let it do, as far as the environment tells. The
//! function is not in the fact sheet (general knowledge,
//! "`RetrieveUserPrivileges` function"): where it is not there, nobody must conclude anything.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use uuid::Uuid;

use crate::dynamics::wire::{List, parse};
use crate::dynamics::{Failure, Outcome, Reader};
use crate::http::System;
use crate::model::TableName;

/// How far a privilege reaches when it reaches everything.
const EVERYTHING: &str = "Global";

/// The privileges of a user, its teams' included.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    /// Names, in lower case, with whether they reach the whole organization.
    names: BTreeMap<String, bool>,
    ids: BTreeSet<Uuid>,
}

/// One privilege of a table.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TablePrivilege {
    /// `prvReadContact`
    pub(crate) name: String,
    /// `Read`, `Create` and so on.
    pub(crate) privilege_type: String,
    #[serde(default)]
    privilege_id: Option<Uuid>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HeldReply {
    role_privileges: Vec<HeldOne>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HeldOne {
    #[serde(default)]
    depth: Option<String>,
    #[serde(default)]
    privilege_id: Option<Uuid>,
    #[serde(default)]
    privilege_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OfTable {
    logical_name: String,
    #[serde(default)]
    schema_name: Option<String>,
    #[serde(default)]
    is_activity: Option<bool>,
    #[serde(default)]
    privileges: Vec<TablePrivilege>,
}

/// `PrivilegeType` of the privileges that every table has.
const TYPES: [&str; 8] =
    ["Create", "Read", "Write", "Delete", "Append", "AppendTo", "Assign", "Share"];

/// Privileges by the rule that their names follow, for metadata that does not
/// list them. Activities share one set; that one of their own is looked for too
/// does no harm.
fn by_rule(table: &OfTable) -> Vec<TablePrivilege> {
    let shared = (table.is_activity == Some(true)).then_some("Activity");
    let stems = shared.into_iter().chain(table.schema_name.as_deref());
    stems
        .flat_map(|stem| TYPES.map(|kind| (stem, kind)))
        .map(|(stem, kind)| TablePrivilege {
            name: format!("prv{kind}{stem}"),
            privilege_type: kind.to_owned(),
            privilege_id: None,
        })
        .collect()
}

/// How a privilege stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// It is not held.
    Nothing,
    /// It is held for some rows only.
    Some,
    /// It is held for all rows, or how far is not told.
    All,
}

impl Held {
    /// How far a privilege is held.
    pub(crate) fn reach(&self, wanted: &TablePrivilege) -> Reach {
        match self.names.get(&wanted.name.to_ascii_lowercase()) {
            Some(true) => Reach::All,
            Some(false) => Reach::Some,
            None if wanted.privilege_id.is_some_and(|id| self.ids.contains(&id)) => Reach::All,
            None => Reach::Nothing,
        }
    }
}

impl Reader {
    /// The privileges of a user; none where the environment does not tell.
    pub(crate) async fn held_privileges(&self, user: &str) -> Result<Option<Held>, Failure> {
        let user = Uuid::try_parse(user).map_err(|_| {
            Failure::ours(System::Dynamics, Outcome::Garbled, "WhoAmI gives no user id".into())
        })?;
        let path = format!("systemusers({user})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()");
        let reply: HeldReply = parse(&self.get(&path).await?)?;
        let mut held = Held::default();
        for one in reply.role_privileges {
            let everywhere = one.depth.as_deref().is_none_or(|depth| depth == EVERYTHING);
            if let Some(name) = one.privilege_name {
                // Held by several roles, it reaches as far as the farthest.
                *held.names.entry(name.to_ascii_lowercase()).or_default() |= everywhere;
            }
            held.ids.extend(one.privilege_id);
        }
        // A user without any privilege could not have asked.
        Ok((!held.names.is_empty() || !held.ids.is_empty()).then_some(held))
    }

    /// The privileges that a table has; empty where there is no such table.
    /// Several of one type: any of them will do.
    pub(crate) async fn table_privileges(
        &self,
        table: &TableName,
    ) -> Result<Vec<TablePrivilege>, Failure> {
        let with = "LogicalName,SchemaName,IsActivity,Privileges";
        let found = match self.of_table(table, with).await {
            Err(failure) if matches!(failure.outcome, Outcome::Setup | Outcome::BadRecord) => {
                self.of_table(table, "LogicalName,SchemaName,IsActivity").await?
            }
            other => other?,
        };
        Ok(match found {
            Some(found) if found.privileges.is_empty() => by_rule(&found),
            Some(found) => found.privileges,
            None => Vec::new(),
        })
    }

    async fn of_table(&self, table: &TableName, select: &str) -> Result<Option<OfTable>, Failure> {
        let path =
            format!("EntityDefinitions?$select={select}&$filter=LogicalName%20eq%20'{table}'");
        let list: List<OfTable> = parse(&self.get(&path).await?)?;
        Ok(list.value.into_iter().find(|one| one.logical_name == table.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_privilege_is_held_by_name_or_by_id_and_as_far_as_its_widest_role() {
        let id = Uuid::from_u128(7);
        let mut held = Held::default();
        held.names.insert("prvreadcontact".into(), true);
        held.names.insert("prvreadaccount".into(), false);
        held.ids.insert(id);
        let one = |name: &str, privilege_id: Option<Uuid>| TablePrivilege {
            name: name.into(),
            privilege_type: "Read".into(),
            privilege_id,
        };
        assert_eq!(held.reach(&one("prvReadContact", None)), Reach::All);
        assert_eq!(held.reach(&one("prvReadAccount", Some(id))), Reach::Some);
        assert_eq!(held.reach(&one("prvReadLead", Some(id))), Reach::All);
        assert_eq!(held.reach(&one("prvReadLead", None)), Reach::Nothing);
    }

    #[test]
    fn without_a_list_the_names_follow_their_rule() {
        let table = |is_activity: bool| OfTable {
            logical_name: "new_visit".into(),
            schema_name: Some("new_Visit".into()),
            is_activity: Some(is_activity),
            privileges: Vec::new(),
        };
        let creates = |table: &OfTable| -> Vec<String> {
            let mut all = by_rule(table);
            all.retain(|one| one.privilege_type == "Create");
            all.into_iter().map(|one| one.name).collect()
        };
        assert_eq!(creates(&table(false)), ["prvCreatenew_Visit"]);
        assert_eq!(creates(&table(true)), ["prvCreateActivity", "prvCreatenew_Visit"]);
    }
}
