//! Connections come in pairs (Dynamics sheet 9.1).
//!
//! Owns: the mirrored row that the server writes beside a new one.

use uuid::Uuid;

use super::schema::{Table, name_guid};
use super::store::Db;
use crate::sandbox::row::{Cell, Fields};

/// Columns that change places in the mirrored row.
const SWAPPED: [(&str, &str); 2] = [("record1id", "record2id"), ("record1roleid", "record2roleid")];

/// The mirrored row of a new connection; both are told of each other.
pub(crate) fn mirrored(
    db: &Db,
    def: &Table,
    id: Uuid,
    fields: &mut Fields,
) -> Option<(Uuid, Fields)> {
    if def.name != "connection" {
        return None;
    }
    let number = |name: &str| def.column(name).map(|column| column.number);
    let other = name_guid("connection", &id.to_string());
    let mut mirror = fields.clone();
    for (one, two) in SWAPPED {
        let (one, two) = (number(one)?, number(two)?);
        for (from, to) in [(one, two), (two, one)] {
            match fields.get(&from) {
                Some(cell) => mirror.insert(to, cell.clone()),
                None => mirror.remove(&to),
            };
        }
    }
    let related = number("relatedconnectionid")?;
    fields.insert(related, Cell::Ref(other, 0));
    mirror.insert(related, Cell::Ref(id, 0));
    // The name is that of the record at the other end.
    for fields in [fields, &mut mirror] {
        if let Some(name) = named(db, def, fields) {
            fields.insert(number("name")?, Cell::Text(name.into()));
        }
    }
    Some((other, mirror))
}

fn named(db: &Db, def: &Table, fields: &Fields) -> Option<String> {
    let column = def.column("record2id")?;
    let Some(Cell::Ref(id, place)) = fields.get(&column.number) else {
        return None;
    };
    let target = db.table(&column.kind.targets().get(usize::from(*place))?.table)?;
    let name = target.def.column(&target.def.primary_name)?.number;
    target.rows.get(id)?.data.get(name)?.text().map(str::to_owned)
}
