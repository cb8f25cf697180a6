//! A mapping as written, checked against both schemas: every problem at once,
//! or a [`Compiled`] that can no longer be wrong.
//!
//! Knows no rows and no file positions.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::mapping::apply::{Compiled, CompiledField};
use crate::mapping::convert::Conversion;
use crate::mapping::links::{self, CompiledLink};
use crate::mapping::matrix::{self, column_words, field_words};
use crate::mapping::names::{self, find_field};
use crate::mapping::problem::{Place, Problem, did_you_mean};
use crate::mapping::spec::{
    FieldMapping, Key, LinkMapping, Lookup, OnNull, OnTooLong, Picklists, TableMapping,
};
use crate::mapping::{filter_compile, replace};
use crate::model::{
    Column, ColumnName, ColumnType, Field, FieldName, FieldType, ResourceSchema, TableSchema,
};

/// Characters of an id as text.
const GUID_LENGTH: u32 = 36;

/// Compiles a table mapping. `Err` holds every problem and is never empty: key,
/// fields and links in their order, then fields filled twice, then the filter.
pub(crate) fn compile(
    spec: &TableMapping,
    table: &TableSchema,
    resource: &ResourceSchema,
) -> Result<Compiled, Vec<Problem>> {
    let mut compiler = Compiler { spec, table, resource, problems: Vec::new() };
    compiler.names();
    let mut fields: Vec<CompiledField> = compiler.key(&spec.key).into_iter().collect();
    for (index, field) in spec.fields.iter().enumerate() {
        fields.extend(compiler.field(index, field));
    }
    let links: Vec<CompiledLink> = spec
        .links
        .iter()
        .enumerate()
        .filter_map(|(index, link)| compiler.link(index, link))
        .collect();
    let mut problems = compiler.problems;
    names::one_to_one(spec, resource, &mut problems);
    let filter = spec
        .filter
        .as_ref()
        .and_then(|filter| filter_compile::compile(filter, table, spec.language, &mut problems));
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut columns = vec![primary_column(table)];
    let read = fields.iter().map(|field| &field.conversion.source);
    let read = read.chain(links.iter().map(|link| &link.source));
    for column in read.chain(filter.iter().flat_map(|filter| &filter.columns)) {
        if !columns.iter().any(|known| known.name == column.name) {
            columns.push(column.clone());
        }
    }
    let key_in_uri = spec.key.lookup == Lookup::InUri;
    Ok(Compiled {
        primary_id: table.primary_id.clone(),
        key_in_uri,
        columns,
        fields,
        links,
        filter,
    })
}

/// The primary id's column, whether or not the metadata's list carries it.
pub(super) fn primary_column(table: &TableSchema) -> Column {
    table.columns.get(&table.primary_id).cloned().unwrap_or_else(|| Column {
        name: table.primary_id.clone(),
        kind: ColumnType::Guid,
        readable: true,
    })
}

struct Compiler<'a> {
    spec: &'a TableMapping,
    table: &'a TableSchema,
    resource: &'a ResourceSchema,
    problems: Vec<Problem>,
}

impl Compiler<'_> {
    /// The schemas are the mapping's own.
    fn names(&mut self) {
        if self.spec.dynamics != self.table.name {
            let text =
                format!("the schema is `{}`'s, not `{}`'s", self.table.name, self.spec.dynamics);
            self.problem(&Place::Table, "dynamics", text, "");
        }
        if self.spec.campaign != self.resource.name {
            let names = (&self.resource.name, &self.spec.campaign);
            let text = format!("the schema is `{}`'s, not `{}`'s", names.0, names.1);
            self.problem(&Place::Table, "campaign", text, "");
        }
    }

    fn key(&mut self, key: &Key) -> Option<CompiledField> {
        let place = Place::Key;
        let column = self.column(&place, key.column(self.table));
        let field = self.target(&place, &key.to);
        let (column, field) = (column?, field?);
        let source_fits = matches!(
            column.kind,
            ColumnType::Text { .. }
                | ColumnType::Integer
                | ColumnType::Guid
                | ColumnType::Lookup { .. }
        );
        let target_fits = matches!(field.kind, FieldType::Text { .. } | FieldType::Integer { .. });
        if !source_fits {
            let text = format!("a {} column cannot be a key", column_words(&column.kind));
            let hint = format!("use the table's id, `{}`", self.table.primary_id);
            self.problem(&place, "from", text, hint);
        }
        if !target_fits {
            let text = format!("a field of type {} cannot hold a key", field_words(&field.kind));
            let hint = "use a text field of at least 36 characters, such as `externalId`";
            self.problem(&place, "to", text, hint);
        }
        if !source_fits || !target_fits || !self.pair(&place, &column, &field) {
            return None;
        }
        Some(CompiledField {
            name: field.name,
            kind: field.kind.clone(),
            updates: true,
            conversion: Conversion {
                source: column,
                target: field.kind,
                labels: false,
                language: self.spec.language,
                on_too_long: OnTooLong::Fail,
                zone: TimeZone::UTC,
            },
            on_null: OnNull::Clear,
            on_empty: OnNull::Clear,
            replace: BTreeMap::new(),
        })
    }

    fn field(&mut self, index: usize, spec: &FieldMapping) -> Option<CompiledField> {
        let place = Place::Field(index);
        let column = self.column(&place, &spec.from);
        let field = self.target(&place, &spec.to);
        let (column, field) = (column?, field?);
        if !self.pair(&place, &column, &field) {
            return None;
        }
        self.options(&place, spec, &column, &field);
        let conversion = Conversion {
            labels: self.labels(&place, spec, &column),
            language: self.spec.language,
            on_too_long: spec.on_too_long,
            zone: spec.time_zone.clone().unwrap_or(TimeZone::UTC),
            source: column,
            target: field.kind.clone(),
        };
        let replace = replace::compile(&spec.replace, &conversion, &place, &mut self.problems);
        Some(CompiledField {
            name: field.name,
            kind: field.kind,
            updates: spec.updates,
            conversion,
            on_null: spec.on_null,
            on_empty: spec.on_empty,
            replace,
        })
    }

    fn link(&mut self, index: usize, spec: &LinkMapping) -> Option<CompiledLink> {
        let place = Place::Link(index);
        let column = self.column(&place, &spec.from);
        let field = self.target(&place, &spec.to);
        let (column, field) = (column?, field?);
        if let Err((part, text, hint)) = links::check(spec, &column, &field) {
            self.problem(&place, part, text, hint);
            return None;
        }
        if !matches!(field.kind, FieldType::Link { .. }) && !self.pair(&place, &column, &field) {
            return None;
        }
        Some(CompiledLink {
            name: field.name,
            kind: field.kind,
            table: spec.table.clone(),
            missing_parent: spec.missing_parent,
            source: column,
        })
    }

    /// Options that would have no effect are refused rather than ignored.
    fn options(&mut self, place: &Place, spec: &FieldMapping, column: &Column, field: &Field) {
        if spec.on_too_long == OnTooLong::Cut && !matches!(field.kind, FieldType::Text { .. }) {
            let text =
                format!("only text can be cut; the field is of type {}", field_words(&field.kind));
            self.problem(place, "on_too_long", text, "leave `on_too_long` out");
        }
        let exact = !matches!(
            column.kind,
            ColumnType::Text { .. } | ColumnType::Choice(_) | ColumnType::MultiChoice(_)
        );
        if spec.on_too_long == OnTooLong::Cut && exact {
            let text = format!("a {} cut short would be another value", column_words(&column.kind));
            self.problem(place, "on_too_long", text, "leave `on_too_long` out");
        }
        let timed = matches!(column.kind, ColumnType::DateTime(_))
            || matches!(field.kind, FieldType::Date | FieldType::DateTime);
        if spec.time_zone.is_some() && !timed {
            let text = "neither the column nor the field is a date or a date-time";
            self.problem(place, "time_zone", text, "leave `time_zone` out");
        }
        let choice = matches!(
            column.kind,
            ColumnType::Boolean(_) | ColumnType::Choice(_) | ColumnType::MultiChoice(_)
        );
        if spec.picklists.is_some() && !choice {
            let text = format!("a {} column has no labels", column_words(&column.kind));
            self.problem(place, "picklists", text, "leave `picklists` out");
        }
    }

    /// Whether labels are sent. Booleans send `true` and `false` unless the
    /// field itself asks for labels, which must then both exist.
    fn labels(&mut self, place: &Place, spec: &FieldMapping, column: &Column) -> bool {
        let ColumnType::Boolean(choices) = &column.kind else {
            return spec.picklists.unwrap_or(self.spec.picklists) == Picklists::Label;
        };
        let wanted = spec.picklists == Some(Picklists::Label);
        let language = self.spec.language;
        let missing = |value: i64| choices.get(value).and_then(|it| it.label(language)).is_none();
        if wanted && (missing(0) || missing(1)) {
            let text = format!("the column has no labels in language {language}");
            self.problem(place, "picklists", text, "leave `picklists` out to send true and false");
        }
        wanted
    }

    fn column(&mut self, place: &Place, name: &ColumnName) -> Option<Column> {
        let found = if *name == self.table.primary_id {
            Some(primary_column(self.table))
        } else {
            self.table.columns.get(name).cloned()
        };
        let Some(column) = found else {
            let names = self.table.columns.keys().map(ColumnName::as_str);
            let otherwise = format!("`cdsync tables {}` lists its columns", self.table.name);
            let hint = did_you_mean(name.as_str(), names, &otherwise);
            let text = format!("`{}` has no column `{name}`", self.table.name);
            self.problem(place, "from", text, hint);
            return None;
        };
        if let Some(refusal) = matrix::unreadable_source(&column.kind) {
            self.problem(place, "from", refusal.text, refusal.hint);
            return None;
        }
        if !column.readable {
            let text = format!("the column `{name}` cannot be read");
            self.problem(place, "from", text, "map another column (`IsValidForRead` is false)");
            return None;
        }
        Some(column)
    }

    fn target(&mut self, place: &Place, name: &FieldName) -> Option<Field> {
        let Some(field) = find_field(self.resource, name).cloned() else {
            let names = self.resource.fields.keys().map(FieldName::as_str);
            let otherwise = format!(
                "`cdsync resources {}` lists its fields; parts of structured fields (such as \
                 `location`) cannot be mapped",
                self.resource.name
            );
            let hint = did_you_mean(name.as_str(), names, &otherwise);
            let text = format!("`{}` has no field `{name}`", self.resource.name);
            self.problem(place, "to", text, hint);
            return None;
        };
        if field.read_only {
            let text = format!("the field `{}` is read-only: Campaign sets it", field.name);
            self.problem(place, "to", text, "map to a custom field (`cus…`) instead");
            return None;
        }
        Some(field)
    }

    /// The types convert, and an id has the room it needs.
    fn pair(&mut self, place: &Place, column: &Column, field: &Field) -> bool {
        if let Err(refusal) = matrix::check(&column.kind, &field.kind) {
            self.problem(place, "to", refusal.text, refusal.hint);
            return false;
        }
        if let FieldType::Text { max_length: Some(length) } = field.kind
            && length < GUID_LENGTH
            && matches!(column.kind, ColumnType::Guid | ColumnType::Lookup { .. })
        {
            let text = format!("an id has {GUID_LENGTH} characters, the field takes {length}");
            self.problem(place, "to", text, "lengthen the field in Campaign");
            return false;
        }
        true
    }

    fn problem(
        &mut self,
        place: &Place,
        part: &'static str,
        text: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.problems.push(Problem::new(place, part, text, hint));
    }
}
