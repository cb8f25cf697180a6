//! `EntityDefinitions`: tables, columns, choices, keys, relations.
//!
//! Owns: "Query table definitions using the Web API" (Dynamics sheet 7.1 to
//! 7.3, 7.6). Its filter is small: joined `eq` tests, as clients send them.

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::api;
use super::error::{Refusal, no_segment, query, refuse};
use super::schema::{Behavior, Choice, Column, ColumnType, Role, Table};
use super::store::Db;
use crate::sandbox::wire::{Call, Reply};

fn label(choice: &Choice) -> Value {
    let part = |text: &str, language: u32| json!({"Label": text, "LanguageCode": language, "IsManaged": true, "MetadataId": super::schema::name_guid("label", text).to_string(), "HasChanged": null});
    json!({"LocalizedLabels": [part(&choice.english, 1033), part(&choice.german, 1031)], "UserLocalizedLabel": part(&choice.english, 1033)})
}

fn text_label(text: &str) -> Value {
    label(&Choice { value: 0, english: text.to_owned(), german: text.to_owned(), partner: None })
}

fn option(choice: &Choice, kind: &ColumnType) -> Value {
    let mut out = json!({"Value": choice.value, "Color": null, "IsManaged": true, "ExternalValue": "", "ParentValues": [], "MetadataId": null, "HasChanged": null,
        "Label": label(choice), "Description": {"LocalizedLabels": [], "UserLocalizedLabel": null}});
    let extra = if let ColumnType::State(_) = kind {
        Some(("DefaultStatus", "Microsoft.Dynamics.CRM.StateOptionMetadata"))
    } else if let ColumnType::Status(_) = kind {
        Some(("State", "Microsoft.Dynamics.CRM.StatusOptionMetadata"))
    } else {
        None
    };
    if let (Some((name, type_name)), Some(out)) = (extra, out.as_object_mut()) {
        out.insert(name.to_owned(), choice.partner.into());
        out.insert("@odata.type".to_owned(), format!("#{type_name}").into());
    }
    out
}

/// A table's definition, without its parts.
fn table_value(table: &Table) -> Map<String, Value> {
    let managed = |value: bool, name: &str| json!({"Value": value, "CanBeChanged": true, "ManagedPropertyLogicalName": name});
    let value = json!({
        "LogicalName": table.name, "SchemaName": table.schema_name, "EntitySetName": table.set,
        "LogicalCollectionName": table.set, "CollectionSchemaName": table.schema_name,
        "PrimaryIdAttribute": table.id,
        "PrimaryNameAttribute": (!table.primary_name.is_empty()).then_some(&table.primary_name),
        "ChangeTrackingEnabled": table.tracked,
        "CanChangeTrackingBeEnabled": managed(table.trackable, "canchangetrackingbeenabled"),
        "IsActivity": table.activity, "IsIntersect": table.intersect, "IsPrivate": false,
        "IsCustomEntity": table.name.contains('_'),
        "ObjectTypeCode": table.type_code, "IsOptimisticConcurrencyEnabled": true,
        "OwnershipType": "UserOwned", "TableType": "Standard",
        "DisplayName": text_label(&table.schema_name), "DisplayCollectionName": text_label(&table.set),
        "MetadataId": table.metadata_id.to_string(), "HasChanged": null,
    });
    object(value)
}

fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(map) = value { map } else { Map::new() }
}

/// A column's definition with everything its type adds.
fn column_value(table: &Table, column: &Column) -> Map<String, Value> {
    let mut out = object(json!({
        "@odata.type": format!("#Microsoft.Dynamics.CRM.{}AttributeMetadata", column.kind.metadata_stem()),
        "LogicalName": column.name, "SchemaName": column.schema_name, "EntityLogicalName": table.name,
        "AttributeType": column.kind.attribute_type(),
        "AttributeTypeName": {"Value": format!("{}Type", column.kind.metadata_stem().replace("UniqueIdentifier", "Uniqueidentifier"))},
        "AttributeOf": null, "IsPrimaryId": column.role == Role::Id, "IsPrimaryName": column.name == table.primary_name,
        "IsValidForCreate": column.create, "IsValidForRead": true, "IsValidForUpdate": column.update,
        "IsValidODataAttribute": true, "IsLogical": false, "IsSecured": column.secured,
        "IsCustomAttribute": column.name.contains("new_"),
        "RequiredLevel": {"Value": "None", "CanBeChanged": true, "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings"},
        "DisplayName": text_label(&column.schema_name), "Description": {"LocalizedLabels": [], "UserLocalizedLabel": null},
        "ColumnNumber": column.number, "MetadataId": column.metadata_id.to_string(), "HasChanged": null,
    }));
    out.extend(type_members(column));
    out
}

fn type_members(column: &Column) -> Map<String, Value> {
    let set = |kind: &str, choices: &[Choice]| {
        let options: Vec<Value> =
            choices.iter().map(|choice| option(choice, &column.kind)).collect();
        json!({"MetadataId": column.metadata_id.to_string(), "Name": column.name, "IsGlobal": false, "OptionSetType": kind, "Options": options})
    };
    object(match &column.kind {
        ColumnType::Text { max } => {
            json!({"MaxLength": max, "Format": "Text", "FormatName": {"Value": "Text"}, "DatabaseLength": max * 2})
        }
        ColumnType::Memo { max } => json!({"MaxLength": max, "Format": "TextArea"}),
        ColumnType::Integer { min, max } => {
            json!({"MinValue": min, "MaxValue": max, "Format": "None"})
        }
        ColumnType::BigInt => json!({"MinValue": i64::MIN, "MaxValue": i64::MAX}),
        ColumnType::Decimal { precision, limit } => {
            json!({"MinValue": -limit, "MaxValue": limit, "Precision": precision})
        }
        ColumnType::Double => {
            json!({"MinValue": -100_000_000_000.0, "MaxValue": 100_000_000_000.0, "Precision": 5})
        }
        ColumnType::Money => {
            json!({"MinValue": -922_337_203_685_477_i64, "MaxValue": 922_337_203_685_477_i64, "Precision": 4, "PrecisionSource": 2})
        }
        ColumnType::Boolean { default, labels } => json!({"DefaultValue": default, "OptionSet": {
            "MetadataId": column.metadata_id.to_string(), "Name": column.name, "IsGlobal": false, "OptionSetType": "Boolean",
            "TrueOption": option(&labels[0], &column.kind), "FalseOption": option(&labels[1], &column.kind)}, "GlobalOptionSet": null}),
        ColumnType::Picklist(choices) | ColumnType::MultiSelect(choices) => {
            json!({"DefaultFormValue": -1, "OptionSet": set("Picklist", choices), "GlobalOptionSet": null})
        }
        ColumnType::State(choices) => {
            json!({"OptionSet": set("State", choices), "GlobalOptionSet": null})
        }
        ColumnType::Status(choices) => {
            json!({"OptionSet": set("Status", choices), "GlobalOptionSet": null})
        }
        ColumnType::DateTime { behavior, date_format } => {
            let behavior = match behavior {
                Behavior::UserLocal => "UserLocal",
                Behavior::TimeZoneIndependent => "TimeZoneIndependent",
                Behavior::DateOnly => "DateOnly",
            };
            json!({"Format": if *date_format { "DateOnly" } else { "DateAndTime" }, "DateTimeBehavior": {"Value": behavior}})
        }
        ColumnType::Lookup { targets, .. } => {
            let mut names: Vec<&str> = targets.iter().map(|target| target.table.as_str()).collect();
            names.dedup();
            json!({"Targets": names, "Format": "None"})
        }
        ColumnType::Uniqueidentifier | ColumnType::EntityName => json!({}),
    })
}

/// Name columns that shadow a choice or a lookup: listed, never selectable.
fn shadow(table: &Table, column: &Column) -> Option<Map<String, Value>> {
    let lookup = matches!(column.kind, ColumnType::Lookup { .. });
    if !lookup && column.kind.choices().is_empty() {
        return None;
    }
    let kind = if lookup { "String" } else { "Virtual" };
    let name = format!("{}name", column.name);
    let type_name = if lookup {
        "#Microsoft.Dynamics.CRM.StringAttributeMetadata"
    } else {
        "#Microsoft.Dynamics.CRM.AttributeMetadata"
    };
    let mut out = column_value(table, &Column::new(&name, ColumnType::Text { max: 100 }));
    for (key, value) in [
        ("@odata.type", json!(type_name)),
        ("AttributeType", json!(kind)),
        ("AttributeTypeName", json!({"Value": format!("{kind}Type")})),
        ("AttributeOf", json!(column.name)),
        ("IsValidForCreate", json!(false)),
        ("IsValidForUpdate", json!(false)),
    ] {
        out.insert(key.to_owned(), value);
    }
    Some(out)
}

fn columns(table: &Table) -> Vec<Map<String, Value>> {
    let mut out: Vec<_> = table.columns.iter().map(|column| column_value(table, column)).collect();
    out.extend(table.columns.iter().filter_map(|column| shadow(table, column)));
    out
}

fn keys(table: &Table) -> Vec<Map<String, Value>> {
    let key = |key: &super::schema::AlternateKey| {
        object(
            json!({"SchemaName": key.name, "LogicalName": key.name, "EntityLogicalName": table.name, "KeyAttributes": key.columns,
            "EntityKeyIndexStatus": "Active", "MetadataId": super::schema::name_guid("key", &key.name).to_string()}),
        )
    };
    table.keys.iter().map(key).collect()
}

/// Lookups of this table (`ManyToOne`) or of others to it (`OneToMany`).
fn relations(db: &Db, table: &Table, outgoing: bool) -> Vec<Map<String, Value>> {
    let mut out = Vec::new();
    for child in db.tables.values().map(|data| &data.def) {
        for column in &child.columns {
            for target in column.kind.targets() {
                let ours =
                    if outgoing { child.name == table.name } else { target.table == table.name };
                if !ours {
                    continue;
                }
                let name = format!("{}_{}s_{}", target.table, child.name, column.name);
                let referenced =
                    db.table(&target.table).map(|data| data.def.id.clone()).unwrap_or_default();
                out.push(object(json!({"@odata.type": "#Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata",
                    "MetadataId": super::schema::name_guid("relation", &name).to_string(),
                    "SchemaName": name, "RelationshipType": "OneToManyRelationship",
                    "ReferencedEntity": target.table, "ReferencedAttribute": referenced, "ReferencingEntity": child.name,
                    "ReferencingAttribute": column.name, "ReferencingEntityNavigationPropertyName": target.navigation})));
            }
        }
    }
    out
}

/// Splits a `$select` or `$expand` list at its own commas.
fn items(list: &str) -> Vec<(String, Option<String>)> {
    let (mut out, mut depth, mut part) = (Vec::new(), 0_usize, String::new());
    for letter in list.chars().chain([',']) {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if letter == ',' && depth == 0 {
            let (name, options) = part
                .split_once('(')
                .map_or((part.as_str(), None), |(name, rest)| (name, rest.strip_suffix(')')));
            if !name.trim().is_empty() {
                out.push((name.trim().to_owned(), options.map(str::to_owned)));
            }
            part = String::new();
        } else {
            part.push(letter);
        }
    }
    out
}

fn inner(options: Option<&str>, name: &str) -> Option<String> {
    let part =
        options?.split(';').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))?;
    Some(part.to_owned())
}

const EXPANDABLE: [&str; 2] = ["OptionSet", "GlobalOptionSet"];

/// Applies `$select` and `$expand` to a definition.
fn shape(
    mut full: Map<String, Value>,
    select: Option<&str>,
    expand: &str,
    type_name: &str,
) -> Result<Map<String, Value>, Refusal> {
    let expanded = items(expand);
    let mut out = Map::new();
    for name in EXPANDABLE {
        let member = full.remove(name);
        if let (Some(mut member), Some((_, options))) =
            (member, expanded.iter().find(|(wanted, _)| wanted == name))
        {
            if let (Some(select), Some(map)) =
                (inner(options.as_deref(), "$select"), member.as_object_mut())
            {
                map.retain(|key, _| {
                    key == "MetadataId" || select.split(',').any(|wanted| wanted.trim() == key)
                });
            }
            out.insert(name.to_owned(), member);
        }
    }
    for (name, _) in &expanded {
        if !EXPANDABLE.contains(&name.as_str()) || !out.contains_key(name) {
            return Err(query(format!(
                "Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{type_name}'."
            )));
        }
    }
    match select {
        None => out.extend(full),
        Some(list) => {
            for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                let value = full.get(name).cloned().ok_or_else(|| query(format!("Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{type_name}'.")))?;
                out.insert(name.to_owned(), value);
            }
            for name in ["MetadataId", "@odata.type"] {
                if let Some(value) = full.get(name) {
                    out.insert(name.to_owned(), value.clone());
                }
            }
        }
    }
    Ok(out)
}

/// Whether a definition passes `$filter`: comparisons joined by `and` or `or`.
fn passes(map: &Map<String, Value>, filter: &str) -> Result<bool, Refusal> {
    let filter = filter.trim();
    let outer = filter
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        .filter(|inner| !inner.contains('('));
    let filter = outer.unwrap_or(filter);
    if let Some((left, right)) = filter.split_once(" or ") {
        return Ok(passes(map, left)? || passes(map, right)?);
    }
    if let Some((left, right)) = filter.split_once(" and ") {
        return Ok(passes(map, left)? && passes(map, right)?);
    }
    let mut words = filter.splitn(3, ' ');
    let (Some(name), Some(op), Some(literal)) = (words.next(), words.next(), words.next()) else {
        return Err(query(format!("Syntax error in '{filter}'.")));
    };
    let mut value = &Value::Null;
    for (at, part) in name.split('/').enumerate() {
        let holder = if at == 0 { map.get(part) } else { value.get(part) };
        value = holder.ok_or_else(|| query(format!("Could not find a property named '{part}' on type 'Microsoft.Dynamics.CRM.MetadataBase'.")))?;
    }
    let literal = literal
        .rsplit_once('\'')
        .and_then(|(rest, _)| rest.split_once('\''))
        .map_or(literal, |(_, text)| text);
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match op {
        "eq" => Ok(text == literal),
        "ne" => Ok(text != literal),
        _ => Err(query(format!("Syntax error in '{filter}'."))),
    }
}

fn list(
    call: &Call,
    fragment: &str,
    rows: Vec<Map<String, Value>>,
    type_name: &str,
) -> Result<Reply, Refusal> {
    for name in ["$orderby", "$top", "$count", "$skip"] {
        if call.param(name).is_some() {
            return Err(query(format!("The query parameter {name} is not supported.")));
        }
    }
    let mut out = Vec::new();
    for row in rows {
        if call.param("$filter").is_none_or(str::is_empty)
            || passes(&row, call.param("$filter").unwrap_or_default())?
        {
            out.push(shape(
                row,
                call.param("$select"),
                call.param("$expand").unwrap_or_default(),
                type_name,
            )?);
        }
    }
    let body =
        json!({"@odata.context": format!("{}/$metadata#{fragment}", api(call)), "value": out});
    Ok(Reply::new(StatusCode::OK, "application/json; odata.metadata=minimal", body.to_string()))
}

fn single(
    call: &Call,
    fragment: &str,
    row: Map<String, Value>,
    type_name: &str,
) -> Result<Reply, Refusal> {
    let mut row =
        shape(row, call.param("$select"), call.param("$expand").unwrap_or_default(), type_name)?;
    row.insert(
        "@odata.context".to_owned(),
        format!("{}/$metadata#{fragment}/$entity", api(call)).into(),
    );
    Ok(Reply::new(
        StatusCode::OK,
        "application/json; odata.metadata=minimal",
        Value::Object(row).to_string(),
    ))
}

/// The name or id inside the parentheses.
fn address<'a>(segment: &'a str, name: &str) -> Option<&'a str> {
    let inner = segment.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')')?;
    Some(
        inner
            .strip_prefix("LogicalName='")
            .and_then(|rest| rest.strip_suffix('\''))
            .unwrap_or(inner),
    )
}

fn find_table<'a>(db: &'a Db, key: &str) -> Result<&'a Table, Refusal> {
    let id = Uuid::try_parse(key).ok();
    db.tables
        .values()
        .map(|data| data.def.as_ref())
        .find(|table| table.name == key || id == Some(table.metadata_id))
        .ok_or_else(|| refuse(404, "0x80041102", format!("The entity with a name = '{key}' with namemapping = 'Logical' was not found in the MetadataCache.")))
}

/// Everything below `EntityDefinitions`.
pub(crate) fn route(db: &Db, call: &Call, segments: &[&str]) -> Result<Reply, Refusal> {
    if call.method != Method::GET {
        return Err(refuse(405, "0x80060888", "Changing definitions is not part of this sandbox."));
    }
    let first = segments.first().copied().unwrap_or_default();
    if first == "EntityDefinitions" {
        let rows = db.tables.values().map(|data| table_value(&data.def)).collect();
        return list(call, "EntityDefinitions", rows, "EntityMetadata");
    }
    let key = address(first, "EntityDefinitions").ok_or_else(|| no_segment(first))?;
    let table = find_table(db, key)?;
    let fragment = format!("EntityDefinitions('{}')", table.name);
    let rest = segments.get(1..).unwrap_or_default();
    match rest {
        [] => with_parts(db, call, table),
        ["Attributes"] => {
            list(call, &format!("{fragment}/Attributes"), columns(table), "AttributeMetadata")
        }
        ["Attributes", cast] if cast.starts_with("Microsoft.Dynamics.CRM.") => {
            let wanted = format!("#{cast}");
            let rows = columns(table)
                .into_iter()
                .filter(|row| row.get("@odata.type").and_then(Value::as_str) == Some(&wanted));
            let rows = rows.map(without_type).collect();
            list(
                call,
                &format!("{fragment}/Attributes/{cast}"),
                rows,
                cast.trim_start_matches("Microsoft.Dynamics.CRM."),
            )
        }
        ["Keys"] => list(call, &format!("{fragment}/Keys"), keys(table), "EntityKeyMetadata"),
        ["ManyToOneRelationships"] => list(
            call,
            &format!("{fragment}/ManyToOneRelationships"),
            relations(db, table, true),
            "OneToManyRelationshipMetadata",
        ),
        ["OneToManyRelationships"] => list(
            call,
            &format!("{fragment}/OneToManyRelationships"),
            relations(db, table, false),
            "OneToManyRelationshipMetadata",
        ),
        [attribute, cast @ ..] => {
            let name = address(attribute, "Attributes").ok_or_else(|| no_segment(attribute))?;
            let is = |row: &Map<String, Value>, member: &str| {
                row.get(member).and_then(Value::as_str) == Some(name)
            };
            let row = columns(table)
                .into_iter()
                .find(|row| is(row, "LogicalName") || is(row, "MetadataId"));
            let row = row.ok_or_else(|| {
                refuse(
                    404,
                    "0x80041103",
                    format!("Could not find an attribute with specified name: {name}"),
                )
            })?;
            match cast {
                [] => {}
                [cast]
                    if row.get("@odata.type").and_then(Value::as_str)
                        == Some(&format!("#{cast}")) => {}
                [other, ..] => return Err(no_segment(other)),
            }
            let row = if cast.is_empty() { row } else { without_type(row) };
            single(call, &format!("{fragment}/Attributes"), row, "AttributeMetadata")
        }
    }
}

/// Below a cast the type goes without saying.
fn without_type(mut row: Map<String, Value>) -> Map<String, Value> {
    row.remove("@odata.type");
    row
}

/// One table, with `$expand=Attributes(…),Keys,ManyToOneRelationships`.
fn with_parts(db: &Db, call: &Call, table: &Table) -> Result<Reply, Refusal> {
    let mut row = shape(table_value(table), call.param("$select"), "", "EntityMetadata")?;
    for (name, options) in items(call.param("$expand").unwrap_or_default()) {
        let parts = match name.as_str() {
            "Attributes" => columns(table),
            "Keys" => keys(table),
            "ManyToOneRelationships" => relations(db, table, true),
            "OneToManyRelationships" => relations(db, table, false),
            _ => {
                return Err(query(format!(
                    "Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.EntityMetadata'."
                )));
            }
        };
        let select = inner(options.as_deref(), "$select");
        let parts: Result<Vec<_>, _> = parts
            .into_iter()
            .map(|part| shape(part, select.as_deref(), "", "AttributeMetadata"))
            .collect();
        row.insert(name, json!(parts?));
    }
    row.insert(
        "@odata.context".to_owned(),
        format!("{}/$metadata#EntityDefinitions/$entity", api(call)).into(),
    );
    Ok(Reply::new(
        StatusCode::OK,
        "application/json; odata.metadata=minimal",
        Value::Object(row).to_string(),
    ))
}
