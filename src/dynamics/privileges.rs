//! What the caller's roles let it do, as far as the environment tells. The
//! function is not in the fact sheet (general knowledge, "RetrieveUserPrivileges
//! function"): where it is not there, nobody must conclude anything.

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
struct HeldReply {
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
    privileges: Vec<TablePrivilege>,
}

/// How a privilege stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    /// The privileges that a table has; empty where the metadata does not tell.
    pub(crate) async fn table_privileges(
        &self,
        table: &TableName,
    ) -> Result<Vec<TablePrivilege>, Failure> {
        let path = format!(
            "EntityDefinitions?$select=LogicalName,Privileges&$filter=LogicalName%20eq%20'{table}'"
        );
        let list: List<OfTable> = parse(&self.get(&path).await?)?;
        let found = list.value.into_iter().find(|one| one.logical_name == table.as_str());
        Ok(found.map(|one| one.privileges).unwrap_or_default())
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
}
