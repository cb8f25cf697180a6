//! The records of the Campaign look-alike.
//!
//! Owns: resources with their records and indexes. Knows no HTTP.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, LazyLock};

use super::builtin;
use super::pkey::Sealer;
use super::schema::{Key, Resource};
use super::workflow::Workflows;
use crate::clock::Clock;
use crate::sandbox::row::{Cell, Fields, Packed};

/// One resource's records.
#[derive(Debug)]
pub(crate) struct ResourceData {
    pub(crate) def: Arc<Resource>,
    pub(crate) rows: BTreeMap<u64, Packed>,
    next: u64,
    index: HashMap<u16, BTreeSet<(Box<str>, u64)>>,
}

/// The spelling under which a value is indexed; empty values are not.
fn indexed(cell: &Cell<'_>) -> Option<Box<str>> {
    match cell {
        Cell::Text(text) if !text.is_empty() => Some(text.as_ref().into()),
        Cell::Int(value) => Some(value.to_string().into()),
        Cell::Text(_)
        | Cell::Bool(_)
        | Cell::Double(_)
        | Cell::Decimal(_)
        | Cell::Guid(_)
        | Cell::Ref(..)
        | Cell::Time(_)
        | Cell::Date(_) => None,
    }
}

impl ResourceData {
    /// A resource without records.
    pub(crate) fn new(def: impl Into<Arc<Resource>>) -> Self {
        Self { def: def.into(), rows: BTreeMap::new(), next: 1, index: HashMap::new() }
    }

    /// The records with this value in an indexed field.
    pub(crate) fn with(&self, number: u16, value: &str) -> Vec<u64> {
        let Some(index) = self.index.get(&number) else {
            return Vec::new();
        };
        let low: (Box<str>, u64) = (value.into(), 0);
        index
            .range(low..)
            .take_while(|(text, _)| text.as_ref() == value)
            .map(|(_, row)| *row)
            .collect()
    }

    /// A unique key that another record holds already.
    pub(crate) fn taken<'a>(
        &'a self,
        row: u64,
        fields: &Fields,
        external_unique: bool,
    ) -> Option<(&'a Key, String)> {
        self.def.keys.iter().filter(|key| !key.optional || external_unique).find_map(|key| {
            let number = self.def.field(&key.field)?.number;
            let value = indexed(fields.get(&number)?)?;
            let other = self.with(number, &value).into_iter().any(|holder| holder != row);
            other.then(|| (key, value.into_string()))
        })
    }

    /// The number of the next record.
    pub(crate) fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// Stores a record.
    pub(crate) fn put(&mut self, row: u64, fields: &Fields) {
        let before = self.rows.get(&row).map(Packed::unpack);
        self.reindex(row, before.as_ref(), Some(fields));
        self.rows.insert(row, Packed::pack(fields));
    }

    /// Removes a record.
    pub(crate) fn remove(&mut self, row: u64) -> bool {
        let Some(old) = self.rows.remove(&row) else {
            return false;
        };
        self.reindex(row, Some(&old.unpack()), None);
        true
    }

    /// Builds the index of one field from the records.
    pub(crate) fn index_anew(&mut self, number: u16) {
        let index = self.index.entry(number).or_default();
        index.clear();
        for (row, packed) in &self.rows {
            if let Some(value) = packed.get(number).as_ref().and_then(indexed) {
                index.insert((value, *row));
            }
        }
    }

    fn reindex(&mut self, row: u64, before: Option<&Fields>, after: Option<&Fields>) {
        let def = Arc::clone(&self.def);
        for field in def.fields.iter().filter(|field| field.indexed) {
            let value = |fields: Option<&Fields>| {
                fields.and_then(|fields| fields.get(&field.number)).and_then(indexed)
            };
            let (old, new) = (value(before), value(after));
            if old == new {
                continue;
            }
            let index = self.index.entry(field.number).or_default();
            if let Some(old) = old {
                index.remove(&(old, row));
            }
            if let Some(new) = new {
                index.insert((new, row));
            }
        }
    }
}

/// All resources.
#[derive(Debug)]
pub(crate) struct Db {
    /// In a fixed order: a `PKey` holds the place.
    pub(crate) resources: Vec<ResourceData>,
    pub(crate) sealer: Sealer,
    /// Sorted results, so that pages follow on.
    pub(crate) sorted: VecDeque<(u64, Vec<u64>)>,
    pub(crate) last_sorted: u64,
    pub(crate) workflows: Workflows,
    #[cfg(test)]
    pub(super) alike: super::alike::Descriptions,
}

impl Db {
    /// The built-in resources; only the organizational unit has a record.
    pub(crate) fn new(seed: u64, clock: Clock) -> Self {
        // Thousands of simulated lives begin alike.
        static BUILTIN: LazyLock<Vec<Arc<Resource>>> =
            LazyLock::new(|| builtin::resources().into_iter().map(Arc::new).collect());
        let resources = BUILTIN.iter().map(Arc::clone).map(ResourceData::new).collect();
        let mut db = Self {
            resources,
            sealer: Sealer::new(seed, clock),
            sorted: VecDeque::new(),
            last_sorted: 0,
            workflows: Workflows::default(),
            #[cfg(test)]
            alike: super::alike::Descriptions::default(),
        };
        if let Some(units) = db.named_mut("orgUnitBase") {
            let mut fields = Fields::new();
            for (name, value) in [("name", "all"), ("label", "All")] {
                if let Some(field) = units.def.field(name) {
                    fields.insert(field.number, Cell::Text(value.into()));
                }
            }
            let row = units.fresh();
            units.put(row, &fields);
        }
        db
    }

    /// The place of a resource.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.resources.iter().position(|data| data.def.name == name)
    }

    /// A resource by name.
    pub(crate) fn named(&self, name: &str) -> Option<&ResourceData> {
        self.resources.iter().find(|data| data.def.name == name)
    }

    /// A resource by name, to change it.
    pub(crate) fn named_mut(&mut self, name: &str) -> Option<&mut ResourceData> {
        self.resources.iter_mut().find(|data| data.def.name == name)
    }

    /// Records per resource.
    pub(crate) fn counts(&self) -> serde_json::Map<String, serde_json::Value> {
        self.resources.iter().map(|data| (data.def.name.clone(), data.rows.len().into())).collect()
    }

    /// Records of all resources that link to this one: place, field, row.
    pub(crate) fn children(&self, target: &str, row: u64) -> Vec<(usize, u16, u64)> {
        let mut out = Vec::new();
        for (place, data) in self.resources.iter().enumerate() {
            for field in &data.def.fields {
                let super::schema::FieldType::Link { target: to } = &field.kind else {
                    continue;
                };
                if to == target {
                    let rows = data.with(field.number, &row.to_string());
                    out.extend(rows.into_iter().map(|child| (place, field.number, child)));
                }
            }
        }
        out
    }
}
