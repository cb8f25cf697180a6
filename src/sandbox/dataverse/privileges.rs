//! What the application's role may do.
//!
//! Owns: the names of privileges, the refusals, and the reading of a user's
//! privileges. That reading and the names that activities share are not in the
//! sheet: they are general knowledge, and a variant takes the reading away.

use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::api;
use super::error::{Refusal, no_row, no_segment, refuse};
use super::schema::{Table, name_guid};
use super::store::Db;
use crate::sandbox::variants::Variants;
use crate::sandbox::wire::{Call, Reply};

/// What a privilege lets a user do with a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    Read,
    Write,
    Delete,
    Append,
    AppendTo,
}

impl Verb {
    pub(crate) const ALL: [Self; 6] =
        [Self::Create, Self::Read, Self::Write, Self::Delete, Self::Append, Self::AppendTo];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Delete => "Delete",
            Self::Append => "Append",
            Self::AppendTo => "AppendTo",
        }
    }
}

/// Privileges that belong to no table.
const GENERAL: [&str; 11] = [
    "prvCreateEntity",
    "prvWriteEntity",
    "prvReadEntity",
    "prvCreateAttribute",
    "prvWriteAttribute",
    "prvCreateRelationship",
    "prvDeleteEntity",
    "prvDeleteAttribute",
    "prvDeleteRelationship",
    "prvPublishCustomization",
    "prvOverrideCreatedOnCreatedBy",
];

/// `prvReadContact`; all activities share those of `Activity`.
pub(crate) fn privilege(table: &Table, verb: Verb) -> String {
    let stem = if table.activity { "Activity" } else { table.schema_name.as_str() };
    format!("prv{}{stem}", verb.name())
}

/// A privilege's id, the same in every sandbox.
pub(crate) fn privilege_id(name: &str) -> Uuid {
    name_guid("privilege", name)
}

fn held(db: &Db, name: &str) -> bool {
    let customizing = GENERAL.contains(&name) && name != "prvOverrideCreatedOnCreatedBy";
    !db.denied.contains(name) && (db.customizer || !customizing)
}

/// Refuses where the application lacks a privilege on a table.
pub(crate) fn require(db: &Db, table: &str, verb: Verb) -> Result<(), Refusal> {
    let Some(data) = db.table(table) else { return Ok(()) };
    let name = privilege(&data.def, verb);
    if held(db, &name) && !db.forbidden.contains(table) {
        return Ok(());
    }
    let user = db.fixed.application;
    Err(refuse(
        403,
        "0x80040220",
        format!(
            "Principal user (Id={user}, type=8, roleCount=1, privilegeCount=10, accessMode='4 Non-interactive') is missing {name} privilege (Id={}) on OTC={} for entity '{table}'. context.Caller={user}.",
            privilege_id(&name),
            data.def.type_code
        ),
    ))
}

/// Refuses where the application lacks a privilege that belongs to no table.
pub(crate) fn require_named(db: &Db, name: &str) -> Result<(), Refusal> {
    if held(db, name) {
        return Ok(());
    }
    let user = db.fixed.application;
    Err(refuse(
        403,
        "0x80040220",
        format!(
            "Principal user (Id={user}, type=8, roleCount=1, privilegeCount=10, accessMode='4 Non-interactive') is missing {name} privilege (Id={}). context.Caller={user}.",
            privilege_id(name)
        ),
    ))
}

/// The `Privileges` member of a table's definition.
pub(crate) fn of_table(table: &Table) -> Vec<Value> {
    let one = |verb: Verb| {
        let name = privilege(table, verb);
        json!({"CanBeBasic": true, "CanBeDeep": true, "CanBeGlobal": true, "CanBeLocal": true,
            "Name": name, "PrivilegeId": privilege_id(&name).to_string(), "PrivilegeType": verb.name()})
    };
    Verb::ALL.into_iter().map(one).collect()
}

/// `GET systemusers(<id>)/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()`.
pub(crate) fn of_user(
    db: &Db,
    call: &Call,
    user: Uuid,
    variants: Variants,
) -> Result<Reply, Refusal> {
    if !variants.privileges_can_be_read {
        return Err(no_segment("RetrieveUserPrivileges"));
    }
    if !db.holds("systemuser", user) {
        return Err(no_row("systemuser", user));
    }
    let mut names: Vec<String> = GENERAL.map(str::to_owned).into();
    for (name, data) in &db.tables {
        if !db.forbidden.contains(name) {
            names.extend(Verb::ALL.map(|verb| privilege(&data.def, verb)));
        }
    }
    names.sort();
    names.dedup();
    let one = |name: &String| {
        let depth = if db.local.contains(name) { "Local" } else { "Global" };
        json!({"Depth": depth, "PrivilegeId": privilege_id(name).to_string(),
            "BusinessUnitId": db.fixed.unit.to_string(), "PrivilegeName": name})
    };
    let rows: Vec<Value> = names.iter().filter(|name| held(db, name)).map(one).collect();
    let context =
        format!("{}/$metadata#Microsoft.Dynamics.CRM.RetrieveUserPrivilegesResponse", api(call));
    let body = json!({"@odata.context": context, "RolePrivileges": rows});
    Ok(Reply::new(StatusCode::OK, "application/json; odata.metadata=minimal", body.to_string()))
}
