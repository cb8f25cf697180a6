//! Relations of many to many: their definitions and their intersect tables.
//!
//! Owns: what is posted for one, and what is shown. The sheet names their tables
//! (9.4); members and addresses are those of Microsoft's metadata reference.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::create::{invalid, plain_code, prefixed, string};
use super::define::object;
use super::find_table;
use super::relate::NAME;
use crate::sandbox::dataverse::api;
use crate::sandbox::dataverse::error::{Refusal, refuse};
use crate::sandbox::dataverse::relation::{End, Pair};
use crate::sandbox::dataverse::schema::{
    Column, ColumnType, LookupFlavour, Table, Target, name_guid,
};
use crate::sandbox::dataverse::store::{Db, TableData};
use crate::sandbox::wire::{Call, Reply};

pub(super) const TYPE: &str = "Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata";

fn definition(table: &Table, pair: &Pair) -> Map<String, Value> {
    let [one, two] = &pair.ends;
    object(json!({"@odata.type": format!("#{TYPE}"),
        "MetadataId": name_guid("relation", &pair.schema_name).to_string(),
        "SchemaName": pair.schema_name, "RelationshipType": "ManyToManyRelationship",
        "IsCustomRelationship": pair.schema_name.contains('_') && table.name.contains('_'),
        "IntersectEntityName": table.name,
        "Entity1LogicalName": one.table, "Entity1IntersectAttribute": one.column,
        "Entity1NavigationPropertyName": one.navigation,
        "Entity2LogicalName": two.table, "Entity2IntersectAttribute": two.column,
        "Entity2NavigationPropertyName": two.navigation}))
}

/// The definitions of all, or of those with a table on one side.
pub(super) fn definitions(db: &Db, of: Option<&str>) -> Vec<Map<String, Value>> {
    let with = |pair: &Pair| of.is_none_or(|name| pair.ends.iter().any(|end| end.table == name));
    db.tables
        .values()
        .flat_map(|data| data.def.pairs.iter().map(move |pair| (&data.def, pair)))
        .filter(|(_, pair)| with(pair))
        .map(|(table, pair)| definition(table, pair))
        .collect()
}

fn end(db: &Db, body: &Map<String, Value>, number: u8, schema: &str) -> Result<End, Refusal> {
    let member = |name: &str| format!("Entity{number}{name}");
    let table = find_table(db, string(body, &member("LogicalName"))?)?;
    if table.intersect {
        return Err(invalid(format!("The table {} joins two others.", table.name)));
    }
    let given = body.get(&member("NavigationPropertyName")).and_then(Value::as_str);
    Ok(End {
        table: table.name.clone(),
        column: table.id.clone(),
        navigation: given.filter(|name| !name.is_empty()).unwrap_or(schema).to_owned(),
    })
}

/// A relation as it is posted; its intersect table is made with it.
pub(super) fn create(
    db: &mut Db,
    call: &Call,
    body: &Map<String, Value>,
) -> Result<Reply, Refusal> {
    let schema = string(body, "SchemaName")?.to_owned();
    prefixed(db, &schema)?;
    let given = body.get("IntersectEntityName").and_then(Value::as_str);
    let intersect = given.unwrap_or(&schema).to_owned();
    prefixed(db, &intersect)?;
    let name = intersect.to_lowercase();
    if db.table(&name).is_some() {
        return Err(refuse(
            400,
            "0x8004700b",
            format!("An entity with the specified name already exists. Entity name: {name}."),
        ));
    }
    let ends = [end(db, body, 1, &schema)?, end(db, body, 2, &schema)?];
    if ends[0].column == ends[1].column {
        return Err(refuse(
            501,
            "0x80060888",
            "Relations of many to many between tables with one name of the primary id are not part of this sandbox.",
        ));
    }
    let set = format!("{name}set");
    let mut table = Table::new(&name, &intersect, &set, &format!("{name}id"), "", plain_code(db));
    (table.intersect, table.tracked, table.trackable) = (true, false, false);
    for end in &ends {
        let target = Target { table: end.table.clone(), navigation: end.column.clone() };
        let flavour = LookupFlavour::Bare;
        let kind = ColumnType::Lookup { flavour, targets: vec![target] };
        let mut column = Column::new(&end.column, kind);
        column.update = false;
        table.add(column);
    }
    table.pairs.push(Pair { schema_name: schema.clone(), ends });
    db.add_table(TableData::new(table));
    let id = name_guid("relation", &schema);
    let address = format!("{}/{NAME}({id})", api(call));
    Ok(Reply::empty(StatusCode::NO_CONTENT).with("odata-entityid", &address))
}

/// Takes a relation away, with its rows.
pub(super) fn delete(db: &mut Db, schema: &str) -> Result<(), Refusal> {
    let made = |table: &Table| table.pairs.iter().any(|pair| pair.schema_name == schema);
    let name = db.tables.values().find(|data| made(&data.def)).map(|data| data.def.name.clone());
    let name = name.filter(|name| name.contains('_'));
    let name = name.ok_or_else(|| invalid(format!("The relation {schema} is not custom.")))?;
    db.drop_table(&name);
    Ok(())
}

/// Takes the relations away that a table was a side of.
pub(super) fn forget(db: &mut Db, table: &str) {
    let of =
        |def: &Table| def.pairs.iter().any(|pair| pair.ends.iter().any(|end| end.table == table));
    let names: Vec<String> =
        db.tables.values().filter(|data| of(&data.def)).map(|data| data.def.name.clone()).collect();
    for name in names {
        db.drop_table(&name);
    }
}
