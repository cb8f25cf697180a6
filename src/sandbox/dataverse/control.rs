//! The handle by which tests and demos act on the Dataverse look-alike.
//!
//! Owns: what a person or an administrator would do there. Speaks JSON only.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::error::Refusal;
use super::render::{Annotations, Plan};
use super::store::Db;
use super::write::{self, Actor, Body};
use crate::clock::Clock;
use crate::sandbox::identity::{Audience, Identity};
use crate::sandbox::row::Cell;

/// A refusal by a look-alike, in the vendor's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlError {
    /// The vendor's code, where it has one.
    pub code: String,
    /// The text.
    pub message: String,
}

impl std::fmt::Display for ControlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.message)
    }
}

impl std::error::Error for ControlError {}

impl From<Refusal> for ControlError {
    fn from(refusal: Refusal) -> Self {
        Self { code: refusal.code.to_owned(), message: refusal.message }
    }
}

pub(super) fn unknown(what: &str) -> ControlError {
    ControlError { code: String::new(), message: format!("there is no {what}") }
}

/// Acts on Dataverse as a person or an administrator; cheap to clone.
#[derive(Clone, Debug)]
pub struct DynamicsControl {
    pub(crate) db: Arc<Mutex<Db>>,
    pub(crate) clock: Clock,
    pub(crate) identity: Identity,
}

impl DynamicsControl {
    pub(super) fn db(&self) -> MutexGuard<'_, Db> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn actor(&self, db: &Db) -> Actor {
        Actor {
            user: db.fixed.person,
            now: self.clock.now().as_millisecond(),
            empty_is_null: db.empty_is_null,
            closed_is_read_only: false,
            own_solution_ids: false,
            person: true,
        }
    }

    /// Creates a row. Columns by logical name, lookups by `…@odata.bind`; a
    /// person may give `statecode` too. Returns the id.
    pub fn insert(&self, table: &str, row: &Value) -> Result<Uuid, ControlError> {
        let mut db = self.db();
        let actor = self.actor(&db);
        Ok(write::create(&mut db, table, None, &body(row)?, actor, self.clock.guid())?)
    }

    /// Changes a row.
    pub fn update(&self, table: &str, id: Uuid, changes: &Value) -> Result<(), ControlError> {
        let mut db = self.db();
        let actor = self.actor(&db);
        Ok(write::update(&mut db, table, id, &body(changes)?, actor)?)
    }

    /// Changes a row as if it had happened at `at`.
    pub fn update_at(
        &self,
        table: &str,
        id: Uuid,
        changes: &Value,
        at: Timestamp,
    ) -> Result<(), ControlError> {
        let mut db = self.db();
        let actor = Actor { now: at.as_millisecond(), ..self.actor(&db) };
        Ok(write::update(&mut db, table, id, &body(changes)?, actor)?)
    }

    /// Deletes a row; lookups that point at it become empty.
    pub fn delete(&self, table: &str, id: Uuid) -> bool {
        self.db().remove(table, id)
    }

    /// Merges one contact or account into another: the loser becomes inactive
    /// with `masterid` and `merged` (Dynamics sheet 3.7).
    pub fn merge(&self, table: &str, winner: Uuid, loser: Uuid) -> Result<(), ControlError> {
        let mut db = self.db();
        let data = db.table(table).ok_or_else(|| unknown("such table"))?;
        let number = |name: &str| {
            data.def.column(name).map(|column| column.number).ok_or_else(|| unknown(name))
        };
        let cells = [
            (number("masterid")?, Cell::Ref(winner, 0)),
            (number("merged")?, Cell::Bool(true)),
            (number("statecode")?, Cell::Int(1)),
            (number("statuscode")?, Cell::Int(2)),
        ];
        let modified = number("modifiedon")?;
        let (Some(mut lost), Some(mut won)) = (db.fields(table, loser), db.fields(table, winner))
        else {
            return Err(unknown("such row"));
        };
        let now = Cell::Time(self.clock.now().as_second() * 1000);
        lost.extend(cells);
        lost.insert(modified, now.clone());
        won.insert(modified, now);
        db.put(table, loser, &lost)?;
        db.put(table, winner, &won)?;
        Ok(())
    }

    /// A row as the Web API would show it, without annotations.
    pub fn get(&self, table: &str, id: Uuid) -> Option<Map<String, Value>> {
        match serde_json::from_str(&self.get_text(table, id)?) {
            Ok(Value::Object(mut map)) => {
                map.remove("@odata.etag");
                Some(map)
            }
            Ok(_) | Err(_) => None,
        }
    }

    /// The same as JSON text, which keeps the scale of decimals.
    pub fn get_text(&self, table: &str, id: Uuid) -> Option<String> {
        let db = self.db();
        let data = db.table(table)?;
        let plan = Plan::new(&data.def, None, &Annotations::default()).ok()?;
        let mut out = Vec::new();
        plan.row(&db, &mut out, "", id, data.rows.get(&id)?);
        String::from_utf8(out).ok()
    }

    /// The ids of a table in their order.
    pub fn ids(&self, table: &str) -> Vec<Uuid> {
        self.db().table(table).map(|data| data.rows.keys().copied().collect()).unwrap_or_default()
    }

    /// Rows of a table.
    pub fn count(&self, table: &str) -> usize {
        self.db().table(table).map_or(0, |data| data.rows.len())
    }

    /// The current value of the version counter.
    pub fn version(&self) -> u64 {
        self.db().version
    }

    /// The version of one row.
    pub fn row_version(&self, table: &str, id: Uuid) -> Option<u64> {
        self.db().table(table)?.rows.get(&id).map(|row| row.version)
    }

    /// The `systemuserid` of the application user.
    pub fn application_user(&self) -> Uuid {
        self.db().fixed.application
    }

    /// The `systemuserid` of the person on whose behalf this handle acts.
    pub fn person(&self) -> Uuid {
        self.db().fixed.person
    }

    /// Makes all delta tokens of all tables expire.
    pub fn expire_tokens(&self) {
        let mut db = self.db();
        let tables: Vec<String> = db.tables.keys().cloned().collect();
        for table in tables {
            db.metadata_changed(&table);
        }
    }

    /// Makes the delta tokens of one table expire.
    pub fn expire_tokens_of(&self, table: &str) {
        self.db().metadata_changed(table);
    }

    /// Revokes all bearer tokens for Dataverse.
    pub fn revoke_bearer_tokens(&self) {
        self.identity.revoke_all(Audience::Dynamics);
    }

    /// Bearer tokens that are alive.
    pub fn bearer_tokens(&self) -> usize {
        self.identity.alive(Audience::Dynamics)
    }

    /// Switches change tracking of a table.
    pub fn set_change_tracking(&self, table: &str, on: bool) {
        let mut db = self.db();
        if let Some(data) = db.tables.get_mut(table) {
            Arc::make_mut(&mut data.def).tracked = on;
        }
        db.metadata_changed(table);
    }

    /// Says whether change tracking of a table may be turned on at all.
    pub fn set_trackable(&self, table: &str, can: bool) {
        if let Some(data) = self.db().tables.get_mut(table) {
            Arc::make_mut(&mut data.def).trackable = can;
        }
    }

    /// With `false` the application's role may not change or publish
    /// definitions; it may from the start.
    pub fn set_customizer(&self, on: bool) {
        self.db().customizer = on;
    }

    /// Days for which deletions are kept: the organization's column.
    pub fn set_retention_days(&self, days: u16) -> Result<(), ControlError> {
        let id = self.db().fixed.organization;
        self.update("organization", id, &serde_json::json!({"expirechangetrackingindays": days}))
    }

    /// With `false` every request for the table is refused with 403.
    pub fn set_privileged(&self, table: &str, on: bool) {
        let mut db = self.db();
        if on {
            db.forbidden.remove(table);
        } else {
            db.forbidden.insert(table.to_owned());
        }
    }

    /// Gives the application's role a privilege, such as `prvCreateActivity`,
    /// or takes it away.
    pub fn set_privilege(&self, name: &str, held: bool) {
        let mut db = self.db();
        if held {
            db.denied.remove(name);
        } else {
            db.denied.insert(name.to_owned());
        }
    }

    /// Makes a privilege reach the application's business unit only, as far as
    /// the reading of privileges tells.
    pub fn narrow_privilege(&self, name: &str) {
        self.db().local.insert(name.to_owned());
    }

    /// Takes the four activity tables of mail events away, with their rows.
    pub fn remove_mail_tables(&self) {
        self.db().remove_mail_tables();
    }

    /// Tables whose definition was changed and not published yet.
    pub fn unpublished(&self) -> Vec<String> {
        self.db().unpublished.iter().cloned().collect()
    }

    /// What lies in a solution: tables, columns as `table.column`.
    pub fn components(&self, solution: &str) -> Vec<String> {
        self.db().components.get(solution).into_iter().flatten().cloned().collect()
    }

    /// The logical names of all tables.
    pub fn tables(&self) -> Vec<String> {
        self.db().tables.keys().cloned().collect()
    }
}

/// A JSON object as a payload.
fn body(row: &Value) -> Result<Body, ControlError> {
    let Value::Object(map) = row else {
        return Err(unknown("object in the argument"));
    };
    map.iter()
        .map(|(name, value)| {
            let raw = RawValue::from_string(value.to_string())
                .map_err(|_| unknown("JSON in the argument"))?;
            Ok((name.clone(), raw))
        })
        .collect()
}
