//! Tables and columns from metadata ("Query table definitions using the Web
//! API"). Only the casts of types that the table has are asked.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::dynamics::link::encode;
use crate::dynamics::wire::{
    AttributeReply, CastReply, EntityReply, LabelReply, List, OptionReply, OptionSetReply,
    TotalsReply, parse,
};
use crate::dynamics::{Failure, Outcome, Reader};
use crate::http::System;
use crate::model::{
    Choice, Choices, Column, ColumnName, ColumnType, DateTimeBehavior, Label, TableName,
    TableSchema,
};

const ENTITY: &str = "LogicalName,SchemaName,EntitySetName,PrimaryIdAttribute,\
    PrimaryNameAttribute,ChangeTrackingEnabled,CanChangeTrackingBeEnabled,IsIntersect";

/// One line of the list of tables.
#[derive(Clone, Debug)]
pub(crate) struct TableSummary {
    /// Logical name.
    pub(crate) name: String,
    /// The name in data URLs.
    pub(crate) entity_set: String,
    /// The primary id column.
    pub(crate) primary_id: String,
    /// Whether change tracking is on.
    pub(crate) change_tracking: bool,
}

impl Reader {
    /// All tables that have a name in data URLs.
    pub(crate) async fn tables(&self) -> Result<Vec<TableSummary>, Failure> {
        let response = self.get(&format!("EntityDefinitions?$select={ENTITY}")).await?;
        let list: List<EntityReply> = parse(&response)?;
        let mut tables: Vec<TableSummary> = list
            .value
            .into_iter()
            .filter_map(|entity| {
                Some(TableSummary {
                    name: entity.logical_name,
                    entity_set: entity.entity_set_name?,
                    primary_id: entity.primary_id_attribute?,
                    change_tracking: entity.change_tracking_enabled.unwrap_or(false),
                })
            })
            .collect();
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(tables)
    }

    /// Rows of each table, as counted within the last day (Dynamics sheet, 2.4).
    pub(crate) async fn total_rows(
        &self,
        tables: &[TableName],
    ) -> Result<Vec<(String, u64)>, Failure> {
        let names: Vec<String> = tables.iter().map(|table| format!("\"{table}\"")).collect();
        let names = encode(&format!("[{}]", names.join(",")));
        let path = format!("RetrieveTotalRecordCount(EntityNames=@p1)?@p1={names}");
        let reply: TotalsReply = parse(&self.get(&path).await?)?;
        let totals = reply.entity_record_count_collection;
        Ok(totals.keys.into_iter().zip(totals.values).collect())
    }

    /// One table with all its columns. Lengths, labels and behaviours are asked
    /// for the `wanted` columns only, or for all. A table that does not exist
    /// is a `Setup` failure that says so.
    pub(crate) async fn table_schema(
        &self,
        table: &TableName,
        wanted: Option<&BTreeSet<ColumnName>>,
    ) -> Result<TableSchema, Failure> {
        let entity = self.entity(table).await?;
        let response = self
            .get(&format!(
                "EntityDefinitions(LogicalName='{table}')/Attributes?$select=LogicalName,\
                 SchemaName,AttributeType,AttributeTypeName,AttributeOf,IsValidForRead"
            ))
            .await?;
        let attributes: List<AttributeReply> = parse(&response)?;
        let casts = self.casts(table, &attributes.value, wanted).await?;
        let columns = attributes
            .value
            .iter()
            .filter(|attribute| attribute.attribute_of.as_deref().is_none_or(str::is_empty))
            .filter_map(|attribute| column(attribute, &casts))
            .map(|column| (column.name.clone(), column))
            .collect::<BTreeMap<_, _>>();
        let incomplete = || setup(&format!("the metadata of table {table} has no data URL or key"));
        let name = |text: Option<String>| text.and_then(|text| ColumnName::new(&text).ok());
        Ok(TableSchema {
            name: table.clone(),
            entity_set: entity
                .entity_set_name
                .filter(|set| ColumnName::new(set).is_ok())
                .ok_or_else(incomplete)?,
            primary_id: name(entity.primary_id_attribute).ok_or_else(incomplete)?,
            primary_name: name(entity.primary_name_attribute),
            change_tracking: entity.change_tracking_enabled.unwrap_or(false),
            change_tracking_possible: entity
                .can_change_tracking_be_enabled
                .and_then(|managed| managed.value)
                .unwrap_or(false),
            intersect: entity.is_intersect.unwrap_or(false),
            columns,
        })
    }

    pub(super) async fn entity(&self, table: &TableName) -> Result<EntityReply, Failure> {
        let path = format!("EntityDefinitions(LogicalName='{table}')?$select={ENTITY}");
        match self.get(&path).await {
            Ok(response) => parse(&response),
            Err(failure) => Err(or_no_table(failure, table)),
        }
    }

    async fn casts(
        &self,
        table: &TableName,
        attributes: &[AttributeReply],
        wanted: Option<&BTreeSet<ColumnName>>,
    ) -> Result<HashMap<String, CastReply>, Failure> {
        let kinds: BTreeSet<Cast> = attributes
            .iter()
            .filter(|one| wanted.is_none_or(|wanted| wanted.contains(one.logical_name.as_str())))
            .filter_map(Cast::of)
            .collect();
        let mut casts = HashMap::new();
        for kind in kinds {
            let (cast, query) = kind.path();
            let path = format!(
                "EntityDefinitions(LogicalName='{table}')/Attributes/\
                 Microsoft.Dynamics.CRM.{cast}?{query}"
            );
            let list: List<CastReply> = parse(&self.get(&path).await?)?;
            casts.extend(list.value.into_iter().map(|cast| (cast.logical_name.clone(), cast)));
        }
        Ok(casts)
    }
}

/// A failure to read a table's definition: which code a missing table has is
/// unconfirmed; its status is 404.
pub(super) fn or_no_table(failure: Failure, table: &TableName) -> Failure {
    match failure.status {
        status if failure.outcome == Outcome::Missing => Failure { status, ..no_table(table) },
        Some(404) => no_table(table),
        Some(_) | None => failure,
    }
}

fn no_table(table: &TableName) -> Failure {
    setup(&format!("there is no table {table}; `cdsync tables` lists those there are"))
}

fn setup(text: &str) -> Failure {
    Failure::ours(System::Dynamics, Outcome::Setup, text.to_owned())
}

/// The attribute types whose facts need a request of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cast {
    Text,
    Memo,
    DateTime,
    Picklist,
    MultiSelect,
    State,
    Status,
    Boolean,
    Lookup,
}

impl Cast {
    fn of(attribute: &AttributeReply) -> Option<Self> {
        match attribute.attribute_type.as_deref()? {
            "String" => Some(Self::Text),
            "Memo" => Some(Self::Memo),
            "DateTime" => Some(Self::DateTime),
            "Picklist" => Some(Self::Picklist),
            "State" => Some(Self::State),
            "Status" => Some(Self::Status),
            "Boolean" => Some(Self::Boolean),
            "Lookup" | "Customer" | "Owner" => Some(Self::Lookup),
            "Virtual" if is_multi_select(attribute) => Some(Self::MultiSelect),
            _ => None,
        }
    }

    fn path(self) -> (&'static str, &'static str) {
        const OPTIONS: &str = "$select=LogicalName&$expand=OptionSet($select=Options),GlobalOptionSet($select=Options)";
        const OWN_OPTIONS: &str = "$select=LogicalName&$expand=OptionSet($select=Options)";
        match self {
            Self::Text => ("StringAttributeMetadata", "$select=LogicalName,MaxLength"),
            Self::Memo => ("MemoAttributeMetadata", "$select=LogicalName,MaxLength"),
            Self::DateTime => {
                ("DateTimeAttributeMetadata", "$select=LogicalName,Format,DateTimeBehavior")
            }
            Self::Picklist => ("PicklistAttributeMetadata", OPTIONS),
            Self::MultiSelect => ("MultiSelectPicklistAttributeMetadata", OPTIONS),
            Self::State => ("StateAttributeMetadata", OWN_OPTIONS),
            Self::Status => ("StatusAttributeMetadata", OWN_OPTIONS),
            Self::Boolean => (
                "BooleanAttributeMetadata",
                "$select=LogicalName&$expand=OptionSet($select=TrueOption,FalseOption)",
            ),
            Self::Lookup => ("LookupAttributeMetadata", "$select=LogicalName,Targets"),
        }
    }
}

fn is_multi_select(attribute: &AttributeReply) -> bool {
    let name = attribute.attribute_type_name.as_ref().and_then(|name| name.value.as_deref());
    name == Some("MultiSelectPicklistType")
}

pub(super) fn column(
    attribute: &AttributeReply,
    casts: &HashMap<String, CastReply>,
) -> Option<Column> {
    let cast = casts.get(&attribute.logical_name);
    let kind = match attribute.attribute_type.as_deref()? {
        "String" | "Memo" => ColumnType::Text { max_length: cast.and_then(|c| c.max_length) },
        // A table's logical name, such as listmember's `entitytype`.
        "EntityName" => ColumnType::Text { max_length: None },
        "Integer" | "BigInt" => ColumnType::Integer,
        "Decimal" | "Money" => ColumnType::Decimal,
        "Double" => ColumnType::Double,
        "Boolean" => ColumnType::Boolean(choices(cast)),
        "Picklist" | "State" | "Status" => ColumnType::Choice(choices(cast)),
        "DateTime" => ColumnType::DateTime(behavior(cast)),
        "Uniqueidentifier" => ColumnType::Guid,
        "Lookup" | "Customer" | "Owner" => {
            ColumnType::Lookup { targets: cast.and_then(|c| c.targets.clone()).unwrap_or_default() }
        }
        "Virtual" if is_multi_select(attribute) => ColumnType::MultiChoice(choices(cast)),
        other => ColumnType::Other(other.to_owned()),
    };
    Some(Column {
        name: ColumnName::new(&attribute.logical_name).ok()?,
        kind,
        readable: attribute.is_valid_for_read.unwrap_or(true),
    })
}

fn behavior(cast: Option<&CastReply>) -> DateTimeBehavior {
    let name = cast
        .and_then(|cast| cast.date_time_behavior.as_ref())
        .and_then(|behavior| behavior.value.as_deref());
    match name {
        Some("DateOnly") => DateTimeBehavior::DateOnly,
        Some("TimeZoneIndependent") => DateTimeBehavior::TimeZoneIndependent,
        _ => DateTimeBehavior::UserLocal,
    }
}

fn choices(cast: Option<&CastReply>) -> Choices {
    let sets = cast.into_iter().flat_map(|cast| [&cast.option_set, &cast.global_option_set]);
    let mut options: Vec<Choice> = Vec::new();
    for set in sets.flatten() {
        for option in each_option(set) {
            if let Some(choice) = choice(option)
                && !options.iter().any(|known| known.value == choice.value)
            {
                options.push(choice);
            }
        }
    }
    Choices(options)
}

fn each_option(set: &OptionSetReply) -> impl Iterator<Item = &OptionReply> {
    set.options.iter().flatten().chain(&set.false_option).chain(&set.true_option)
}

fn choice(option: &OptionReply) -> Option<Choice> {
    let label = option.label.as_ref();
    Some(Choice {
        value: option.value?,
        labels: label.map(labels).unwrap_or_default(),
        user_label: label
            .and_then(|label| label.user_localized_label.as_ref())
            .and_then(|label| label.label.clone()),
    })
}

fn labels(label: &LabelReply) -> Vec<Label> {
    let all = label.localized_labels.iter().flatten();
    all.filter_map(|one| Some(Label { language: one.language_code?, text: one.label.clone()? }))
        .collect()
}
