//! `$metadata`: the tables and their columns as a CSDL document (Dynamics sheet
//! 7.1; the form is that of OData 4.0).
//!
//! Owns: its spelling. Actions, functions and complex types are left out.

use http::StatusCode;

use crate::sandbox::dataverse::schema::{Behavior, Column, ColumnType, Table};
use crate::sandbox::dataverse::store::Db;
use crate::sandbox::wire::{Call, Reply};

use super::define::relations;
use super::pairs::definitions;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><edmx:Edmx Version=\"4.0\" xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\"><edmx:DataServices><Schema Namespace=\"Microsoft.Dynamics.CRM\" Alias=\"mscrm\" xmlns=\"http://docs.oasis-open.org/odata/ns/edm\">";
const TAIL: &str = "</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>";

/// `GET $metadata`, with annotations where `?annotations=true` asks for them.
pub(crate) fn document(db: &Db, call: &Call) -> Reply {
    let annotated = call.param("annotations") == Some("true");
    let mut out = HEAD.to_owned();
    for data in db.tables.values() {
        entity(db, &data.def, &mut out);
    }
    out.push_str("<EntityContainer Name=\"System\">");
    for data in db.tables.values() {
        container(&data.def, annotated, &mut out);
    }
    out.push_str(TAIL);
    Reply::new(StatusCode::OK, "application/xml", out)
}

fn edm(kind: &ColumnType) -> &'static str {
    match kind {
        ColumnType::Uniqueidentifier | ColumnType::Lookup { .. } => "Edm.Guid",
        ColumnType::Text { .. }
        | ColumnType::Memo { .. }
        | ColumnType::EntityName
        | ColumnType::MultiSelect(_) => "Edm.String",
        ColumnType::Integer { .. }
        | ColumnType::Picklist(_)
        | ColumnType::State(_)
        | ColumnType::Status(_) => "Edm.Int32",
        ColumnType::BigInt => "Edm.Int64",
        ColumnType::Decimal { .. } | ColumnType::Money => "Edm.Decimal",
        ColumnType::Double => "Edm.Double",
        ColumnType::Boolean { .. } => "Edm.Boolean",
        ColumnType::DateTime { behavior: Behavior::DateOnly, .. } => "Edm.Date",
        ColumnType::DateTime { .. } => "Edm.DateTimeOffset",
    }
}

fn entity(db: &Db, table: &Table, out: &mut String) {
    out.push_str(&format!(
        "<EntityType Name=\"{}\"><Key><PropertyRef Name=\"{}\" /></Key>",
        table.name, table.id
    ));
    for column in &table.columns {
        out.push_str(&format!(
            "<Property Name=\"{}\" Type=\"{}\" />",
            column.wire_name(),
            edm(&column.kind)
        ));
    }
    for column in table.columns.iter().filter(|_| !table.intersect) {
        lookup(db, column, out);
    }
    let member = |map: &serde_json::Map<String, serde_json::Value>, name: &str| {
        map.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    };
    for relation in relations(db, table, false) {
        collection(&member(&relation, "SchemaName"), &member(&relation, "ReferencingEntity"), out);
    }
    for pair in definitions(db, Some(&table.name)) {
        let (own, other) = if member(&pair, "Entity1LogicalName") == table.name {
            ("Entity1", "Entity2")
        } else {
            ("Entity2", "Entity1")
        };
        let name = member(&pair, &format!("{own}NavigationPropertyName"));
        collection(&name, &member(&pair, &format!("{other}LogicalName")), out);
    }
    out.push_str("</EntityType>");
}

fn lookup(db: &Db, column: &Column, out: &mut String) {
    for target in column.kind.targets() {
        let id = db.table(&target.table).map(|data| data.def.id.clone()).unwrap_or_default();
        out.push_str(&format!(
            "<NavigationProperty Name=\"{}\" Type=\"mscrm.{}\"><ReferentialConstraint Property=\"{}\" ReferencedProperty=\"{id}\" /></NavigationProperty>",
            target.navigation,
            target.table,
            column.wire_name()
        ));
    }
}

fn collection(name: &str, table: &str, out: &mut String) {
    out.push_str(&format!(
        "<NavigationProperty Name=\"{name}\" Type=\"Collection(mscrm.{table})\" />"
    ));
}

fn container(table: &Table, annotated: bool, out: &mut String) {
    out.push_str(&format!(
        "<EntitySet Name=\"{}\" EntityType=\"Microsoft.Dynamics.CRM.{}\"",
        table.set, table.name
    ));
    if !annotated {
        out.push_str(" />");
        return;
    }
    out.push_str(&format!(
        "><Annotation Term=\"Org.OData.Capabilities.V1.ChangeTracking\"><Record><PropertyValue Property=\"Supported\" Bool=\"{}\" /></Record></Annotation></EntitySet>",
        table.tracked
    ));
}
