//! The rows of the Dataverse look-alike.
//!
//! Owns: tables with their rows, the one version counter, tombstones and
//! indexes ("look-alike server rules", Dynamics sheet 3.8). Knows no HTTP.

mod tables;
mod undo;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, LazyLock};

use uuid::Uuid;

use self::undo::Journal;
use super::builtin;
use super::error::{Refusal, refuse};
pub(crate) use super::keys::key_part;
use super::option_set::OptionSet;
use super::schema::{Table, name_guid};
use crate::sandbox::row::{Cell, Fields, Packed};

/// A row as kept.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) version: u64,
    pub(crate) data: Packed,
}

/// What is left of a deleted row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grave {
    pub(crate) id: Uuid,
}

/// One table's data.
#[derive(Debug)]
pub(crate) struct TableData {
    pub(crate) def: Arc<Table>,
    pub(crate) rows: BTreeMap<Uuid, Stored>,
    pub(crate) by_version: BTreeMap<u64, Uuid>,
    pub(crate) graves: BTreeMap<u64, Grave>,
    /// Tokens with a smaller version have expired.
    pub(crate) tokens_from: u64,
    keys: Vec<HashMap<String, Uuid>>,
    /// Where the grave of an id is.
    buried: HashMap<Uuid, u64>,
}

impl TableData {
    pub(crate) fn new(def: impl Into<Arc<Table>>) -> Self {
        let def: Arc<Table> = def.into();
        let keys = def.keys.iter().map(|_| HashMap::new()).collect();
        Self {
            def,
            rows: BTreeMap::new(),
            by_version: BTreeMap::new(),
            graves: BTreeMap::new(),
            tokens_from: 0,
            keys,
            buried: HashMap::new(),
        }
    }

    /// The spelling of an alternate key's value; `None` where a part is null.
    fn key_value(&self, key: usize, fields: &Fields) -> Option<String> {
        let mut parts = Vec::new();
        for name in &self.def.keys.get(key)?.columns {
            let cell = fields.get(&self.def.column(name)?.number)?;
            parts.push(key_part(cell));
        }
        Some(parts.join("\u{1f}"))
    }

    /// Builds the alternate keys anew, after their columns have changed; false
    /// where two rows hold the same value of one.
    pub(crate) fn rekey(&mut self) -> bool {
        let mut unique = true;
        let mut keys: Vec<HashMap<String, Uuid>> =
            self.def.keys.iter().map(|_| HashMap::new()).collect();
        for (id, row) in &self.rows {
            let fields = row.data.unpack();
            for (key, map) in keys.iter_mut().enumerate() {
                if let Some(value) = self.key_value(key, &fields) {
                    unique &= map.insert(value, *id).is_none();
                }
            }
        }
        self.keys = keys;
        unique
    }

    fn forget_keys(&mut self, fields: &Fields) {
        for key in 0..self.keys.len() {
            if let Some(value) = self.key_value(key, fields)
                && let Some(map) = self.keys.get_mut(key)
            {
                map.remove(&value);
            }
        }
    }

    fn learn_keys(&mut self, id: Uuid, fields: &Fields) {
        for key in 0..self.keys.len() {
            if let Some(value) = self.key_value(key, fields)
                && let Some(map) = self.keys.get_mut(key)
            {
                map.insert(value, id);
            }
        }
    }

    /// The row with an alternate key's value.
    pub(crate) fn by_key(&self, key: usize, value: &str) -> Option<Uuid> {
        self.keys.get(key)?.get(value).copied()
    }
}

/// Fixed rows that everything refers to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fixed {
    pub(crate) organization: Uuid,
    pub(crate) unit: Uuid,
    /// The application user behind the client id.
    pub(crate) application: Uuid,
    /// A person who works in the system.
    pub(crate) person: Uuid,
    pub(crate) currency: Uuid,
}

/// All tables.
#[derive(Debug)]
pub(crate) struct Db {
    pub(crate) tables: BTreeMap<String, TableData>,
    /// Tables that were removed.
    pub(crate) dropped: BTreeMap<String, TableData>,
    pub(crate) sets: HashMap<String, String>,
    pub(crate) version: u64,
    pub(crate) metadata_version: u64,
    #[cfg(test)]
    pub(super) alike: std::sync::Mutex<super::metadata::Own>,
    pub(crate) forbidden: HashSet<String>,
    /// Whether the application may change and publish definitions.
    pub(crate) customizer: bool,
    /// Privileges that were taken from the application's role.
    pub(crate) denied: HashSet<String>,
    /// Privileges that reach the application's business unit only.
    pub(crate) local: HashSet<String>,
    /// Definitions that were changed and not published yet.
    pub(crate) unpublished: BTreeSet<String>,
    /// Tables and columns in solutions, by the solution's unique name.
    pub(crate) components: BTreeMap<String, BTreeSet<String>>,
    /// Whether activities go with the record that they regard.
    pub(crate) regarding_cascades: bool,
    /// Whether an empty text that a person writes is kept as null.
    pub(crate) empty_is_null: bool,
    pub(crate) fixed: Fixed,
    /// Global choices by name.
    pub(crate) option_sets: BTreeMap<String, OptionSet>,
    /// Names of relations that were made, by child table and lookup.
    pub(crate) relation_names: BTreeMap<(String, String), String>,
    /// Parent, child table's code, column, child.
    children: BTreeSet<(Uuid, u32, u16, Uuid)>,
    journal: Journal,
    /// Sorted results of queries with `$orderby`, so that pages follow on.
    pub(crate) sorted: VecDeque<(u64, Vec<Uuid>)>,
}

impl Db {
    /// The built-in tables without rows.
    pub(crate) fn new(seed: u64) -> Self {
        // Thousands of simulated lives begin alike.
        static BUILTIN: LazyLock<Vec<Arc<Table>>> =
            LazyLock::new(|| builtin::tables().into_iter().map(Arc::new).collect());
        let tables: BTreeMap<_, _> =
            BUILTIN.iter().map(|def| (def.name.clone(), TableData::new(Arc::clone(def)))).collect();
        let sets =
            tables.values().map(|data| (data.def.set.clone(), data.def.name.clone())).collect();
        let fixed = |name: &str| name_guid("fixed", &format!("{name} {seed}"));
        let fixed = Fixed {
            organization: fixed("organization"),
            unit: fixed("unit"),
            application: fixed("application"),
            person: fixed("person"),
            currency: fixed("currency"),
        };
        Self {
            tables,
            dropped: BTreeMap::new(),
            sets,
            version: 915_243,
            metadata_version: 1,
            forbidden: HashSet::new(),
            customizer: true,
            denied: HashSet::new(),
            local: HashSet::new(),
            unpublished: BTreeSet::new(),
            components: BTreeMap::new(),
            regarding_cascades: true,
            empty_is_null: true,
            fixed,
            option_sets: BTreeMap::new(),
            relation_names: BTreeMap::new(),
            children: BTreeSet::new(),
            journal: Journal::default(),
            #[cfg(test)]
            alike: std::sync::Mutex::default(),
            sorted: VecDeque::new(),
        }
    }

    /// A table by logical name.
    pub(crate) fn table(&self, name: &str) -> Option<&TableData> {
        self.tables.get(name)
    }

    /// A row laid open.
    pub(crate) fn fields(&self, table: &str, id: Uuid) -> Option<Fields> {
        self.tables.get(table)?.rows.get(&id).map(|row| row.data.unpack())
    }

    /// Whether a row is there.
    pub(crate) fn holds(&self, table: &str, id: Uuid) -> bool {
        self.tables.get(table).is_some_and(|data| data.rows.contains_key(&id))
    }

    /// Stores a row under the next version, checking alternate keys.
    pub(crate) fn put(&mut self, table: &str, id: Uuid, fields: &Fields) -> Result<u64, Refusal> {
        self.note(table, id);
        let Some(data) = self.tables.get_mut(table) else {
            return Err(refuse(400, "0x80041102", "The specified table does not exist."));
        };
        let before = data.rows.get(&id).map(|row| row.data.unpack());
        let mut taken = Vec::new();
        for key in 0..data.keys.len() {
            let value = data.key_value(key, fields);
            if let Some(value) = &value
                && data.by_key(key, value).is_some_and(|holder| holder != id)
            {
                return Err(violated(&data.def, key));
            }
            taken.push(value);
        }
        for (key, value) in taken.into_iter().enumerate() {
            let old = before.as_ref().and_then(|before| data.key_value(key, before));
            if old == value {
                continue;
            }
            let Some(map) = data.keys.get_mut(key) else {
                continue;
            };
            if let Some(old) = old {
                map.remove(&old);
            }
            if let Some(value) = value {
                map.insert(value, id);
            }
        }
        self.version += 1;
        let version = self.version;
        let row = Stored { version, data: Packed::pack(fields) };
        if let Some(old) = data.rows.insert(id, row) {
            data.by_version.remove(&old.version);
        } else if let Some(grave) = data.buried.remove(&id) {
            data.graves.remove(&grave);
        }
        data.by_version.insert(version, id);
        link(&mut self.children, &data.def, id, before.as_ref(), fields);
        Ok(version)
    }

    /// Removes a row and unlinks its children; false where there was none.
    pub(crate) fn remove(&mut self, table: &str, id: Uuid) -> bool {
        self.note(table, id);
        let Some(data) = self.tables.get_mut(table) else {
            return false;
        };
        let Some(old) = data.rows.remove(&id) else {
            return false;
        };
        let fields = old.data.unpack();
        data.by_version.remove(&old.version);
        data.forget_keys(&fields);
        link(&mut self.children, &data.def, id, Some(&fields), &Fields::new());
        let pair = related(&data.def, &fields);
        self.version += 1;
        data.graves.insert(self.version, Grave { id });
        data.buried.insert(id, self.version);
        if let Some(pair) = pair {
            self.remove(table, pair);
        }
        self.unlink_children(id);
        true
    }

    /// A custom lookup's default is to be emptied when its parent goes.
    fn unlink_children(&mut self, parent: Uuid) {
        let low = (parent, 0, 0, Uuid::nil());
        let high = (parent, u32::MAX, u16::MAX, Uuid::max());
        let children: Vec<_> = self.children.range(low..=high).copied().collect();
        for (_, code, column, child) in children {
            let found = self.tables.values().find(|data| data.def.type_code == code);
            let goes = |def: &Table| {
                // A membership without one of its two sides is none.
                def.intersect
                    || (def.activity
                        && self.regarding_cascades
                        && def.column("regardingobjectid").is_some_and(|at| at.number == column))
            };
            let Some((table, goes)) = found.map(|data| (data.def.name.clone(), goes(&data.def)))
            else {
                continue;
            };
            if goes {
                self.remove(&table, child);
                continue;
            }
            let Some(mut fields) = self.fields(&table, child) else {
                continue;
            };
            fields.remove(&column);
            // Emptying a lookup violates no key that was not violated before.
            let _ = self.put(&table, child, &fields);
        }
    }

    /// Notes a change of a table's columns: all its tokens expire (sheet 3.6).
    pub(crate) fn metadata_changed(&mut self, table: &str) {
        self.version += 1;
        self.metadata_version += 1;
        if let Some(data) = self.tables.get_mut(table) {
            data.tokens_from = self.version;
        }
    }
}

fn violated(table: &Table, key: usize) -> Refusal {
    let (name, columns) = table
        .keys
        .get(key)
        .map(|key| (key.name.clone(), key.columns.join(", ")))
        .unwrap_or_default();
    refuse(
        412,
        "0x80060892",
        format!(
            "Entity Key {name} violated. A record with the same value for {columns} already exists. A duplicate record cannot be created. Select one or more unique values and try again."
        ),
    )
}

/// The row that goes with a connection: one is never left alone.
fn related(def: &Table, fields: &Fields) -> Option<Uuid> {
    let column = def.column("relatedconnectionid").filter(|_| def.name == "connection")?;
    match fields.get(&column.number) {
        Some(Cell::Ref(pair, _)) => Some(*pair),
        _ => None,
    }
}

/// Tables that nothing is ever deleted from: links to them need no index.
pub(crate) const STEADY: [&str; 4] = ["systemuser", "businessunit", "team", "transactioncurrency"];

fn link(
    index: &mut BTreeSet<(Uuid, u32, u16, Uuid)>,
    def: &Table,
    id: Uuid,
    before: Option<&Fields>,
    after: &Fields,
) {
    for column in &def.columns {
        let steady =
            column.kind.targets().iter().all(|target| STEADY.contains(&target.table.as_str()));
        if steady {
            continue;
        }
        let parent = |fields: &Fields| match fields.get(&column.number) {
            Some(Cell::Ref(parent, _)) => Some(*parent),
            _ => None,
        };
        let (old, new) = (before.and_then(parent), parent(after));
        if old != new {
            if let Some(old) = old {
                index.remove(&(old, def.type_code, column.number, id));
            }
            if let Some(new) = new {
                index.insert((new, def.type_code, column.number, id));
            }
        }
    }
}
