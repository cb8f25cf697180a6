//! From a table mapping as written to one that can run: both schemas are read
//! and the mapping is compiled against them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::app::App;
use crate::app::optout::pairs;
use crate::campaign::{Clearing, KeyLookup, Writer};
use crate::delivery::{Flags, Target};
use crate::dynamics::Query;
use crate::flows::ingress::{Deletions, Table};
use crate::flows::shape::{drift, ran_before, shape, with_remedy};
use crate::http::{Failure, Outcome};
use crate::mapping::spec::{DeleteGuard, Lookup, TableMapping, Tracking};
use crate::mapping::{Compiled, Place, Problem, compile, parents_first};
use crate::model::consent::{BoundPair, Direction, FlagPair};
use crate::model::{Column, ColumnName, Flow, ResourceSchema, TableName, TableSchema};
use crate::store::{KnownTable, Store, StoreError};
use crate::telemetry::{SchemaDrifted, TableFailed};

/// Deletions that pass the share of the default guard in any case: a small
/// table is not held for one record.
const DEFAULT_FLOOR: u64 = 50;

/// The guard where the configuration names none.
const DEFAULT_GUARD: DeleteGuard = DeleteGuard { rows: Some(1000), percent: Some(5.0) };

/// Why a table cannot run.
#[derive(Clone, Debug)]
pub(crate) enum TableError {
    /// A system would not say what it has.
    Remote(Failure),
    /// The mapping does not fit what they have: every problem, with its place.
    Mapping(Vec<String>),
    /// Columns or fields are not what they were when the table last ran.
    Drift(Vec<String>),
    /// The table or its resource is gone since it last ran.
    Gone(String),
    /// Dynamics does not track the table's changes.
    NotTracked {
        /// The table.
        table: TableName,
        /// Whether that can be turned on.
        possible: bool,
    },
}

impl TableError {
    /// Whether a schema, rather than a system, the mapping or the set-up, is to
    /// blame.
    fn is_drift(&self) -> bool {
        matches!(self, Self::Drift(_) | Self::Gone(_))
    }
}

impl std::fmt::Display for TableError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Remote(failure) => failure.fmt(f),
            Self::Mapping(problems) | Self::Drift(problems) => f.write_str(&problems.join("; ")),
            Self::Gone(text) => f.write_str(text),
            Self::NotTracked { table, possible } => {
                write!(
                    f,
                    "change tracking is off for this table; {}",
                    how_to_track(table, *possible)
                )
            }
        }
    }
}

/// What to do about a table that is not tracked.
pub(crate) fn how_to_track(table: &TableName, possible: bool) -> String {
    if possible {
        format!(
            "run `cdsync provision --change-tracking {table}`, or turn it on at make.powerapps.com (Tables > {table} > Properties > Advanced options > Track changes), save and publish; or set `tracking = \"diff\"` in its mapping, which reads all rows in each pass"
        )
    } else {
        "it cannot be turned on; set `tracking = \"diff\"` in its mapping, which reads all rows in each pass".to_owned()
    }
}

/// The tables of a pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prepared {
    /// Those that can run.
    pub(crate) tables: Vec<Table>,
    /// Where their records go.
    pub(crate) targets: HashMap<TableName, Target>,
    /// Those that cannot.
    pub(crate) failed: Vec<TableName>,
    /// A refusal of credentials or privileges.
    pub(crate) refused: Option<Failure>,
    /// A server error that repeating did not mend.
    pub(crate) kept_refusing: Option<Failure>,
}

impl App {
    /// Prepares all mapped tables. One that cannot run is reported and left
    /// out; it resumes by itself when its cause is gone.
    pub(crate) async fn prepare(&self, store: &Store) -> Result<Prepared, StoreError> {
        let mut prepared = Prepared::default();
        let Some(ingress) = &self.config.ingress else { return Ok(prepared) };
        // A ring is refused with the configuration.
        let order = parents_first(&ingress.tables).unwrap_or_default();
        for spec in order.iter().filter_map(|at| ingress.tables.get(*at)) {
            let name = spec.dynamics.clone();
            let known = store.call(move |work| work.shape(&name)).await?;
            match self.prepare_table(spec, known.as_ref(), store).await {
                Ok((table, target)) => {
                    prepared.targets.insert(table.name.clone(), target);
                    prepared.tables.push(table);
                }
                Err(error) => {
                    let (table, reason) = (spec.dynamics.clone(), error.to_string());
                    let spent = matches!(&error, TableError::Remote(failure) if failure.is_spent());
                    if spent {
                        // Told where it was found.
                    } else if error.is_drift() {
                        let reason = with_remedy(&table, &reason);
                        SchemaDrifted { flow: Flow::Ingress, table, reason }.emit();
                    } else {
                        TableFailed { flow: Flow::Ingress, table, reason }.emit();
                    }
                    prepared.failed.push(spec.dynamics.clone());
                    if let TableError::Remote(failure) = error {
                        match failure.outcome {
                            Outcome::Refused | Outcome::Spent => {
                                prepared.refused = Some(failure);
                            }
                            Outcome::ServerError => prepared.kept_refusing = Some(failure),
                            Outcome::Throttled
                            | Outcome::NotSent
                            | Outcome::Unknown
                            | Outcome::Unavailable
                            | Outcome::Unauthenticated
                            | Outcome::Missing
                            | Outcome::DuplicateKey
                            | Outcome::VersionConflict
                            | Outcome::CursorExpired
                            | Outcome::BadRecord
                            | Outcome::Setup
                            | Outcome::Garbled
                            | Outcome::Foreign
                            | Outcome::TooLarge => {}
                        }
                    }
                }
            }
        }
        Ok(prepared)
    }

    /// Both schemas of a mapping, with these columns.
    async fn schemas(
        &self,
        spec: &TableMapping,
        columns: &BTreeSet<ColumnName>,
    ) -> Result<(TableSchema, ResourceSchema), Failure> {
        let table = self.dynamics.table_schema(&spec.dynamics, Some(columns)).await?;
        let resource = self.campaign.resource_schema(&spec.campaign).await?;
        Ok((table, resource))
    }

    /// The opt-out flags that records of this table have, and which way they
    /// travel.
    fn flags(&self, spec: &TableMapping) -> (&[FlagPair], Direction) {
        match &self.config.optout {
            Some(optout) if spec.dynamics == TableName::contact() => {
                (&optout.pairs, optout.direction)
            }
            Some(_) | None => (&[], Direction::DynamicsToCampaign),
        }
    }

    /// Whether records of other tables link to this one's.
    fn is_parent(&self, table: &TableName) -> bool {
        let tables = self.config.ingress.iter().flat_map(|ingress| &ingress.tables);
        tables.flat_map(|spec| &spec.links).any(|link| link.table == *table)
    }

    async fn prepare_table(
        &self,
        spec: &TableMapping,
        known: Option<&KnownTable>,
        store: &Store,
    ) -> Result<(Table, Target), TableError> {
        let (flags, direction) = self.flags(spec);
        let mut wanted = spec.columns();
        wanted.extend(flags.iter().map(|pair| pair.column.clone()));
        let (schema, resource) = self
            .schemas(spec, &wanted)
            .await
            .map_err(|failure| refused(failure, known.is_some()))?;
        let compiled = compile(spec, &schema, &resource)
            .map_err(|problems| does_not_fit(spec, &problems, known))?;
        if !schema.change_tracking && spec.tracking == Tracking::Changes {
            let possible = schema.change_tracking_possible;
            return Err(TableError::NotTracked { table: spec.dynamics.clone(), possible });
        }
        let resource = Arc::new(resource);
        let clearing_of_links = clearing(self.config.campaign.clear_links_with_null);
        let clearing = clearing(self.config.campaign.clear_with_null);
        let pairs: Arc<[_]> = pairs(flags, &schema, &resource).map_err(TableError::Mapping)?.into();
        // Those with which a new record is made, where Dynamics has a say in them.
        let has_a_say = direction != Direction::CampaignToDynamics;
        let opt_outs: Arc<[_]> = if has_a_say { pairs.clone() } else { Arc::default() };
        let columns = columns(&compiled, &opt_outs, &schema);
        let digest = digest(spec, &schema, &compiled, clearing);
        let form = format!("{clearing:?}");
        let shape = shape(spec, &schema, &compiled, &form, &opt_outs, store.key());
        if let Some(known) = known {
            let drifted = drift(known, &shape);
            if !drifted.is_empty() {
                return Err(TableError::Drift(drifted));
            }
        }
        let read_parents = spec.links.iter().filter(|link| link.resource.is_none());
        let table = Table {
            name: spec.dynamics.clone(),
            query: Arc::new(Query {
                table: schema,
                columns,
                page_rows: self.config.dynamics.page_rows,
            }),
            tracking: spec.tracking,
            resource: resource.clone(),
            key: spec.key.to.clone(),
            deletions: Deletions {
                apply: spec.apply_deletes,
                filtered_out: spec.filter.as_ref().is_some_and(|f| f.delete_filtered_out),
            },
            guard: spec.delete_guard.unwrap_or(DEFAULT_GUARD),
            guard_floor: if spec.delete_guard.is_some() { 0 } else { DEFAULT_FLOOR },
            identity: format!("{}.{}", spec.campaign, spec.key.to),
            digest,
            clearing,
            link_clearing: clearing_of_links,
            is_parent: self.is_parent(&spec.dynamics),
            read_parents: read_parents.map(|link| link.table.clone()).collect(),
            shape: Arc::new(shape),
            opt_outs,
            mapping: Arc::new(compiled),
        };
        let shown = pairs.iter().flat_map(BoundPair::fields).cloned().collect::<Vec<_>>();
        let writer = Writer::new(
            self.campaign.clone(),
            resource,
            spec.key.to.clone(),
            lookup(&spec.key.lookup),
            table.field_names().into_iter().chain(shown).collect(),
        );
        let (has_links, is_parent) = (table.has_links(), table.is_parent);
        let flags = Flags { pairs, direction };
        Ok((table, Target { writer, has_links, is_parent, flags }))
    }
}

/// What is read: the mapping's columns, and those of the opt-out flags.
fn columns(compiled: &Compiled, opt_outs: &[BoundPair], schema: &TableSchema) -> Vec<Column> {
    let mut columns: Vec<Column> = compiled.columns().into_iter().cloned().collect();
    for column in opt_outs.iter().filter_map(|pair| schema.columns.get(&pair.pair.column)) {
        if columns.iter().all(|known| known.name != column.name) {
            columns.push(column.clone());
        }
    }
    columns
}

/// A mapping that ran as it is written now does not fit because a schema has
/// changed.
fn does_not_fit(
    spec: &TableMapping,
    problems: &[Problem],
    known: Option<&KnownTable>,
) -> TableError {
    let texts = problems.iter().map(|problem| in_words(spec, problem)).collect();
    let ran = |known| problems.iter().all(|it| ran_before(known, spec, &it.place));
    if known.is_some_and(ran) { TableError::Drift(texts) } else { TableError::Mapping(texts) }
}

/// What it means that the schemas cannot be had. A table that ran once does not
/// simply have a wrong name.
fn refused(failure: Failure, ran: bool) -> TableError {
    if ran && matches!(failure.outcome, Outcome::Setup | Outcome::Missing) {
        TableError::Gone(failure.to_string())
    } else {
        TableError::Remote(failure)
    }
}

/// A problem with the column and the field that it is about.
fn in_words(spec: &TableMapping, problem: &Problem) -> String {
    let place = match &problem.place {
        Place::Table => String::new(),
        Place::Key => match &spec.key.from {
            Some(from) => format!("key {from} → {}: ", spec.key.to),
            None => format!("key → {}: ", spec.key.to),
        },
        Place::Field(index) => spec
            .fields
            .get(*index)
            .map_or_else(String::new, |field| format!("{} → {}: ", field.from, field.to)),
        Place::Link(index) => spec
            .links
            .get(*index)
            .map_or_else(String::new, |link| format!("{} → {}: ", link.from, link.to)),
        Place::Rule(_) => "filter: ".to_owned(),
    };
    let hint = match problem.hint.as_str() {
        "" => String::new(),
        hint => format!(" ({hint})"),
    };
    format!("{place}{}{hint}", problem.text)
}

/// How Campaign is asked for a key.
pub(crate) fn lookup(lookup: &Lookup) -> KeyLookup {
    match lookup {
        Lookup::InUri => KeyLookup::InUri,
        Lookup::Filter { filter, parameter } => {
            KeyLookup::Filter { filter: filter.clone(), parameter: parameter.clone() }
        }
    }
}

fn clearing(with_null: bool) -> Clearing {
    if with_null { Clearing::Null } else { Clearing::EmptyText }
}

/// Changes whenever a row could come to another record than before: fields,
/// replacements, filter, columns and their labels.
fn digest(
    spec: &TableMapping,
    schema: &TableSchema,
    compiled: &Compiled,
    clearing: Clearing,
) -> String {
    let key = spec.key.canonical(schema);
    let text = format!(
        "{:?}|{:?}|{key}|{:?}|{:?}|{clearing:?}",
        spec.fields, spec.filter, spec.picklists, spec.language,
    );
    // A store from before there were links keeps its digest.
    let links = if spec.links.is_empty() { String::new() } else { format!("|{:?}", spec.links) };
    let types: Vec<String> =
        compiled.columns().into_iter().map(|column| format!("{column:?}")).collect();
    blake3::hash(format!("{text}|{}{links}", types.join("|")).as_bytes()).to_hex()[..32].to_owned()
}
