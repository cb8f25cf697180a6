//! A few fields of all rows, as they are kept: for the simulation, which looks
//! after every request and cannot pay for whole rows.

use std::sync::PoisonError;

use serde_json::Value;
use uuid::Uuid;

use super::Sandbox;
use super::campaign::pkey::Sealed;
use super::row::{Cell, Packed};

/// Fields in the order that was asked for; null where a row has none.
pub(crate) type Glanced = Vec<Value>;

impl Sandbox {
    /// These columns of a table of Dynamics.
    pub(crate) fn glance_at_table(&self, table: &str, columns: &[&str]) -> Vec<(Uuid, Glanced)> {
        let db = self.shared.dynamics.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(data) = db.table(table) else { return Vec::new() };
        let numbers: Vec<_> =
            columns.iter().map(|name| data.def.column(name).map(|it| it.number)).collect();
        data.rows.iter().map(|(id, row)| (*id, glance(&row.data, &numbers))).collect()
    }

    /// These fields of a resource of Campaign.
    pub(crate) fn glance_at_resource(&self, resource: &str, fields: &[&str]) -> Vec<Glanced> {
        let db = self.shared.campaign.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(data) = db.named(resource) else { return Vec::new() };
        let numbers: Vec<_> =
            fields.iter().map(|name| data.def.field(name).map(|it| it.number)).collect();
        data.rows.values().map(|row| glance(row, &numbers)).collect()
    }
}

impl Sandbox {
    /// What a field of the record says that an address of Campaign ends with.
    pub(crate) fn key_behind(&self, token: &str, field: &str) -> Option<String> {
        let db = self.shared.campaign.lock().unwrap_or_else(PoisonError::into_inner);
        let Sealed::Record(place, row) = db.sealer.open(token)? else { return None };
        let data = db.resources.get(usize::try_from(place).ok()?)?;
        let number = data.def.field(field)?.number;
        glance(data.rows.get(&row)?, &[Some(number)]).first()?.as_str().map(str::to_owned)
    }
}

fn glance(row: &Packed, numbers: &[Option<u16>]) -> Glanced {
    let shown = |cell: Cell<'_>| match cell {
        Cell::Bool(it) => Value::Bool(it),
        Cell::Text(it) => Value::String(it.into_owned()),
        Cell::Guid(it) | Cell::Ref(it, _) => Value::String(it.to_string()),
        Cell::Int(it) => it.into(),
        Cell::Double(_) | Cell::Decimal(_) | Cell::Time(_) | Cell::Date(_) => Value::Null,
    };
    let of = |number: &Option<u16>| row.get((*number)?).map(shown);
    numbers.iter().map(|number| of(number).unwrap_or_default()).collect()
}
