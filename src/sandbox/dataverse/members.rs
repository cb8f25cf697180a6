//! Intersect tables and list members (Dynamics sheet 9.4).
//!
//! Owns: what such a table refuses, and the two membership actions.

use http::StatusCode;
use uuid::Uuid;

use super::api;
use super::error::{Refusal, no_row, no_segment, query, refuse};
use super::read::Context;
use super::schema::Table;
use super::store::Db;
use super::write::{self, Actor, Body};
use crate::sandbox::row::Cell;
use crate::sandbox::wire::Reply;

/// The one intersect table whose rows may be posted and deleted.
pub(crate) const TABLE: &str = "listmember";

/// The refusal of a message that a table does not have. The sheet names the
/// messages; code and text are those that users report, UNCONFIRMED.
pub(crate) fn no_message(message: &str, table: &str) -> Refusal {
    refuse(
        400,
        "0x80040800",
        format!("The '{message}' method does not support entities of type '{table}'."),
    )
}

/// Why a tracked read of a table is refused (sheet 3.4), if it is.
pub(crate) fn untracked(db: &Db, table: &Table) -> Option<Refusal> {
    let tracked = |name: &str| db.table(name).is_some_and(|data| data.def.tracked);
    let mut related = table.columns.iter().flat_map(|column| column.kind.targets());
    if table.intersect && !related.all(|target| tracked(&target.table)) {
        return Some(refuse(
            400,
            "0x80072492",
            format!(
                "Changes cannot be retrieved for intersect entity {} since both related entities are not enabled for change tracking.",
                table.name
            ),
        ));
    }
    (!table.tracked).then(|| {
        refuse(
            400,
            "0x80072491",
            format!("Entity {} isn't enabled for change tracking.", table.name),
        )
    })
}

/// The table that a list's members are of, and its place among the targets.
fn kind_of(db: &Db, list: Uuid) -> Result<&'static str, Refusal> {
    let data = db.table("list").ok_or_else(|| no_row("list", list))?;
    let row = data.rows.get(&list).ok_or_else(|| no_row("list", list))?;
    let number = data.def.column("createdfromcode").map(|column| column.number);
    match number.and_then(|number| row.data.get(number)).as_ref().and_then(Cell::int) {
        Some(1) => Ok("account"),
        Some(4) => Ok("lead"),
        Some(_) | None => Ok("contact"),
    }
}

/// The membership rows of a list: row and member.
fn members(db: &Db, list: Uuid) -> Vec<(Uuid, Uuid)> {
    let Some(data) = db.table("listmember") else {
        return Vec::new();
    };
    let number = |name: &str| data.def.column(name).map(|column| column.number);
    let (Some(lists), Some(entities)) = (number("listid"), number("entityid")) else {
        return Vec::new();
    };
    let reference = |cell: Option<Cell<'_>>| match cell {
        Some(Cell::Ref(id, _)) => Some(id),
        _ => None,
    };
    data.rows
        .iter()
        .filter(|(_, row)| reference(row.data.get(lists)) == Some(list))
        .filter_map(|(id, row)| Some((*id, reference(row.data.get(entities))?)))
        .collect()
}

/// `POST lists(<id>)/Microsoft.Dynamics.CRM.AddMemberList` and its opposite.
pub(crate) fn act(
    db: &mut Db,
    list: Uuid,
    action: &str,
    context: &Context<'_>,
    actor: Actor,
) -> Result<Reply, Refusal> {
    let action = action.strip_prefix("Microsoft.Dynamics.CRM.").unwrap_or(action);
    let body = write::body("lists", &context.call.body)?;
    let member = body
        .get("EntityId")
        .and_then(|raw| serde_json::from_str::<Uuid>(raw.get()).ok())
        .ok_or_else(|| query("The parameter EntityId is missing."))?;
    let kind = kind_of(db, list)?;
    let held = members(db, list).into_iter().find(|(_, entity)| *entity == member);
    match (action, held) {
        ("AddMemberList", Some((row, _))) => Ok(added(context, row)),
        ("AddMemberList", None) => {
            let set = db.table(kind).map(|data| data.def.set.clone()).unwrap_or_default();
            let mut payload = Body::new();
            for (name, value) in [
                ("listid@odata.bind".to_owned(), format!("\"/lists({list})\"")),
                (format!("entityid_{kind}@odata.bind"), format!("\"/{set}({member})\"")),
            ] {
                let raw = serde_json::value::RawValue::from_string(value)
                    .map_err(|_| query("The payload is not JSON."))?;
                payload.insert(name, raw);
            }
            let fresh = super::schema::name_guid("member", &format!("{list} {member}"));
            let row = write::create(db, "listmember", None, &payload, actor, fresh)?;
            Ok(added(context, row))
        }
        ("RemoveMemberList", held) => {
            if let Some((row, _)) = held {
                db.remove("listmember", row);
            }
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        (other, _) => Err(no_segment(other)),
    }
}

fn added(context: &Context<'_>, row: Uuid) -> Reply {
    let body = serde_json::json!({
        "@odata.context": format!("{}/$metadata#Microsoft.Dynamics.CRM.AddMemberListResponse", api(context.call)),
        "Id": row.to_string(),
    });
    Reply::new(StatusCode::OK, "application/json; odata.metadata=minimal", body.to_string())
}

/// Whether an intersect table takes two rows: a list has members of one kind.
pub(crate) fn fits(
    db: &Db,
    through: &str,
    (one, id): (&str, Uuid),
    (other, to): (&str, Uuid),
) -> Result<(), Refusal> {
    let (list, kind) = if one == "list" { (id, other) } else { (to, one) };
    if through != TABLE || kind_of(db, list)? == kind {
        return Ok(());
    }
    // Code and text are not in the sheet.
    Err(refuse(400, "0x80040203", format!("Invalid argument. The list takes no rows of {kind}.")))
}
