//! Definitions of tables, columns, choices, keys and relations as JSON.
//!
//! Owns: their members (Dynamics sheet 7.1 to 7.3 and 7.6).

use serde_json::{Map, Value, json};

use crate::sandbox::dataverse::error::{Refusal, refuse};
use crate::sandbox::dataverse::option_set::OptionSet;
use crate::sandbox::dataverse::privileges;
use crate::sandbox::dataverse::schema::{
    AlternateKey, Behavior, Choice, Column, ColumnType, LookupFlavour, Role, Table, name_guid,
};
use crate::sandbox::dataverse::store::Db;
use crate::sandbox::variants::Variants;

fn localized(labels: &[(u64, String)]) -> Value {
    let part = |(language, text): &(u64, String)| json!({"Label": text, "LanguageCode": language, "IsManaged": true, "MetadataId": name_guid("label", text).to_string(), "HasChanged": null});
    let user = labels.iter().find(|(language, _)| *language == 1033);
    json!({"LocalizedLabels": labels.iter().map(part).collect::<Vec<_>>(), "UserLocalizedLabel": user.map(part)})
}

fn label(choice: &Choice) -> Value {
    localized(&[(1033, choice.english.clone()), (1031, choice.german.clone())])
}

fn text_label(text: &str) -> Value {
    localized(&[(1033, text.to_owned()), (1031, text.to_owned())])
}

fn or_text(labels: &[(u64, String)], text: &str) -> Value {
    if labels.is_empty() { text_label(text) } else { localized(labels) }
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
pub(super) fn table_value(table: &Table, variants: Variants) -> Map<String, Value> {
    let managed = |value: bool, name: &str| json!({"Value": value, "CanBeChanged": true, "ManagedPropertyLogicalName": name});
    let trackable = table.trackable || (table.intersect && variants.list_member_tracking);
    let value = json!({
        "LogicalName": table.name, "SchemaName": table.schema_name, "EntitySetName": table.set,
        "LogicalCollectionName": table.set, "CollectionSchemaName": table.schema_name,
        "PrimaryIdAttribute": table.id,
        "PrimaryNameAttribute": (!table.primary_name.is_empty()).then_some(&table.primary_name),
        "ChangeTrackingEnabled": table.tracked,
        "CanChangeTrackingBeEnabled": managed(trackable, "canchangetrackingbeenabled"),
        "IsActivity": table.activity, "IsIntersect": table.intersect, "IsPrivate": false,
        "IsCustomEntity": table.name.contains('_'),
        "ObjectTypeCode": table.type_code, "IsOptimisticConcurrencyEnabled": true,
        "OwnershipType": "UserOwned", "TableType": "Standard",
        "DisplayName": localized(&table.labels), "EntityColor": table.color,
        "IsAuditEnabled": managed(table.audited, "canmodifyauditsettings"), "DisplayCollectionName": or_text(&table.collection_labels, &table.set),
        "HasNotes": true, "HasActivities": !table.activity, "IsAvailableOffline": true, "ActivityTypeMask": i32::from(table.activity),
        "Description": {"LocalizedLabels": [], "UserLocalizedLabel": null}, "Privileges": privileges::of_table(table),
        "MetadataId": table.metadata_id.to_string(), "HasChanged": null,
    });
    object(value)
}

pub(super) fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(map) = value { map } else { Map::new() }
}

/// A column's definition with everything its type adds.
fn column_value(db: &Db, table: &Table, column: &Column) -> Map<String, Value> {
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
        "DisplayName": or_text(table.column_labels.get(&column.name).map_or(&[], Vec::as_slice), &column.schema_name), "Description": {"LocalizedLabels": [], "UserLocalizedLabel": null},
        "ColumnNumber": column.number, "MetadataId": column.metadata_id.to_string(), "HasChanged": null,
    }));
    out.extend(type_members(column));
    if let Some(set) = table.globals.get(&column.name).and_then(|name| db.option_sets.get(name)) {
        let shared = Value::Object(global(set));
        out.insert("OptionSet".to_owned(), shared.clone());
        out.insert("GlobalOptionSet".to_owned(), shared);
    }
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
        ColumnType::Lookup { flavour: LookupFlavour::Bare, .. }
        | ColumnType::Uniqueidentifier
        | ColumnType::EntityName => json!({}),
        ColumnType::Lookup { targets, .. } => {
            let mut names: Vec<&str> = targets.iter().map(|target| target.table.as_str()).collect();
            names.dedup();
            json!({"Targets": names, "Format": "None"})
        }
    })
}

/// Name columns that shadow a choice or a lookup: listed, never selectable.
fn shadow(db: &Db, table: &Table, column: &Column) -> Option<Map<String, Value>> {
    let lookup = matches!(
        column.kind,
        ColumnType::Lookup {
            flavour: LookupFlavour::Lookup | LookupFlavour::Customer | LookupFlavour::Owner,
            ..
        }
    );
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
    let mut out = column_value(db, table, &Column::new(&name, ColumnType::Text { max: 100 }));
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

pub(super) fn columns(db: &Db, table: &Table) -> Vec<Map<String, Value>> {
    let mut out: Vec<_> =
        table.columns.iter().map(|column| column_value(db, table, column)).collect();
    out.extend(table.columns.iter().filter_map(|column| shadow(db, table, column)));
    out
}

fn status(key: &AlternateKey) -> &'static str {
    match (key.failed, key.pending) {
        (true, _) => "Failed",
        (false, 0) => "Active",
        (false, _) => "Pending",
    }
}

pub(super) fn keys(table: &Table) -> Vec<Map<String, Value>> {
    let key = |key: &AlternateKey| {
        object(
            json!({"SchemaName": key.schema_name, "LogicalName": key.name, "EntityLogicalName": table.name, "KeyAttributes": key.columns,
            "EntityKeyIndexStatus": status(key), "MetadataId": name_guid("key", &key.name).to_string()}),
        )
    };
    table.keys.iter().map(key).collect()
}

/// Lookups of this table (`ManyToOne`) or of others to it (`OneToMany`).
pub(super) fn relations(db: &Db, table: &Table, outgoing: bool) -> Vec<Map<String, Value>> {
    let mut out = Vec::new();
    for child in db.tables.values().map(|data| &data.def) {
        for column in child.columns.iter().filter(|column| !column.is_bare()) {
            for target in column.kind.targets() {
                let ours =
                    if outgoing { child.name == table.name } else { target.table == table.name };
                if !ours {
                    continue;
                }
                let mut name = format!("{}_{}s", target.table, child.name);
                if column.name != "regardingobjectid" {
                    name = format!("{name}_{}", column.name);
                }
                let given = db.relation_names.get(&(child.name.clone(), column.name.clone()));
                let name = given.cloned().unwrap_or(name);
                let referenced =
                    db.table(&target.table).map(|data| data.def.id.clone()).unwrap_or_default();
                out.push(object(json!({"@odata.type": "#Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata",
                    "MetadataId": name_guid("relation", &name).to_string(),
                    "SchemaName": name, "RelationshipType": "OneToManyRelationship",
                    "IsCustomRelationship": given.is_some(),
                    "CascadeConfiguration": cascade(db, child, column),
                    "ReferencedEntity": target.table, "ReferencedAttribute": referenced, "ReferencingEntity": child.name,
                    "ReferencingAttribute": column.name, "ReferencingEntityNavigationPropertyName": target.navigation})));
            }
        }
    }
    out
}

/// What happens to the children when a parent goes: what this sandbox does.
fn cascade(db: &Db, child: &Table, column: &Column) -> Value {
    let goes = child.intersect
        || (child.activity && db.regarding_cascades && column.name == "regardingobjectid");
    let delete = if goes { "Cascade" } else { "RemoveLink" };
    json!({"Assign": "NoCascade", "Delete": delete, "Merge": "NoCascade", "Reparent": "NoCascade",
        "Share": "NoCascade", "Unshare": "NoCascade", "RollupView": "NoCascade"})
}

/// A global choice with its options.
pub(super) fn global(set: &OptionSet) -> Map<String, Value> {
    let kind = ColumnType::Picklist(Vec::new());
    let options: Vec<Value> = set.choices.iter().map(|choice| option(choice, &kind)).collect();
    object(json!({"@odata.type": "#Microsoft.Dynamics.CRM.OptionSetMetadata",
        "MetadataId": set.id().to_string(), "Name": set.name, "IsGlobal": true,
        "IsCustomOptionSet": true, "OptionSetType": "Picklist", "DisplayName": localized(&set.labels),
        "Description": {"LocalizedLabels": [], "UserLocalizedLabel": null}, "HasChanged": null,
        "Options": options}))
}

/// The refusal to delete what others need; general knowledge, not in the sheet.
pub(super) fn referenced(kind: &str, name: &str, by: usize) -> Refusal {
    refuse(
        400,
        "0x8004f01f",
        format!(
            "The {kind}({name}) component cannot be deleted because it is referenced by {by} other components."
        ),
    )
}
