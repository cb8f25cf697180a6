//! A pass of the opt-out flow: what both systems tell, then every flag whose
//! sides seem to differ, then the liftings that the guard lets pass.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::app::optout_keep::{
    address_book, address_column, guard, take_up_refused, tell_shared, tell_skew, tell_unsure,
};
use crate::app::pass::{Driven, Ending, Frame, PassOptions, PassReport, Watch};
use crate::app::pin::fits;
use crate::app::tables::lookup;
use crate::app::told::HeldBack;
use crate::campaign::Writer;
use crate::config::OptoutSettings;
use crate::delivery::consent::{ConsentDelivery, ConsentTarget, Round};
use crate::dynamics::{Query, RecordWriter};
use crate::flows::optout::{FileReport, FileSource, OptoutError, OptoutIntake, OptoutSource};
use crate::http::{Failure, Outcome};
use crate::mapping::compile;
use crate::mapping::spec::TableMapping;
use crate::model::consent::{BoundPair, FlagPair};
use crate::model::{
    Column, ColumnName, ColumnType, FieldName, FieldType, Flow, ResourceSchema, Stop, TableName,
    TableSchema, Tally,
};
use crate::store::{Store, StoreError};
use crate::telemetry::{OptoutsHeld, TableFailed, tell_stop};

const FLOW: Flow = Flow::Optout;

/// Contacts that are settled at one time, at most: each takes a few requests
/// to both systems, one after the other.
pub(super) const CONTACTS: usize = 16;

/// Columns beside the flags: when a contact was changed, and what it was merged
/// into.
const BESIDE: [&str; 3] = ["modifiedon", "merged", "masterid"];

/// How the parts of a pass ended.
#[derive(Debug, Default)]
struct Work {
    read: Option<Failure>,
    files_refused: bool,
    delivery: Option<Failure>,
    /// What contacts met that are still open.
    kept: Option<Failure>,
    held: Option<OptoutsHeld>,
    stopped: bool,
}

/// Runs one pass. `watch` is called now and then.
pub(super) async fn sync_optout(
    app: &App,
    store: &Store,
    options: PassOptions,
    watch: &mut (dyn FnMut(Watch) + Send),
) -> Result<PassReport, StoreError> {
    take_up_refused(store, &app.clock).await?;
    let mut frame = Frame::open(app, store, FLOW, &options, watch).await?;
    let ending = match frame.drive(begin(app, store), Some(&options.stop)).await? {
        Driven::GaveUp => Ending { gave_up: true, ..Ending::default() },
        Driven::Stopped => Ending { stopped: true, ..Ending::default() },
        Driven::Ended(Err(ending)) => ending,
        Driven::Ended(Ok(source)) => {
            let tally = frame.tally.clone();
            let within = (options.stop.clone(), options.patience);
            let work = work(app, store, &tally, (source, within));
            match frame.drive(Box::pin(work), None).await? {
                Driven::Ended(work) => of_work(work),
                Driven::GaveUp | Driven::Stopped => Ending { gave_up: true, ..Ending::default() },
            }
        }
    };
    frame.close(ending, 0).await
}

async fn begin(
    app: &App,
    store: &Store,
) -> Result<Result<Option<(OptoutSource, ConsentTarget)>, Ending>, StoreError> {
    if let Some(failure) = fits(app, store).await? {
        return Ok(Err(Ending { refused: Some(failure), ..Ending::default() }));
    }
    let Some(settings) = &app.config.optout else { return Ok(Ok(None)) };
    match app.optout(settings).await {
        Ok(found) => Ok(Ok(Some(found))),
        Err(error) => {
            let (reason, mut ending) = match error {
                OptoutProblem::Remote(failure) if failure.is_spent() => {
                    return Ok(Err(of_failure(&failure)));
                }
                OptoutProblem::Remote(failure) => (failure.to_string(), of_failure(&failure)),
                OptoutProblem::Setup(problems) => (problems.join("; "), Ending::default()),
            };
            (ending.failed, ending.all_failed) = (true, true);
            TableFailed { flow: FLOW, table: contact(), reason }.emit();
            Ok(Err(ending))
        }
    }
}

async fn work(
    app: &App,
    store: &Store,
    tally: &Tally,
    (found, (stop, patience)): (Option<(OptoutSource, ConsentTarget)>, (Stop, Duration)),
) -> Result<Work, StoreError> {
    let mut done = Work::default();
    let (Some((source, target)), Some(settings)) = (found, &app.config.optout) else {
        return Ok(done);
    };
    let intake = app.optout_intake(settings, (store, tally), source);
    let read = tokio::select! {
        biased;
        () = stop.requested() => Ok(FileReport::default()),
        read = intake.run() => read,
    };
    match read {
        Ok(report) => {
            done.files_refused = !report.refused.is_empty();
            done.read = report.failure.inspect(tell_stopped);
        }
        Err(OptoutError::Store(error)) => return Err(error),
        // What is known already is settled all the same.
        Err(OptoutError::Remote(failure)) => {
            tell_stopped(&failure);
            done.read = Some(failure);
        }
    }
    let target = target.resting_within(patience);
    let delivery = ConsentDelivery::new(store, &app.clock, tally, target, CONTACTS, stop.clone());
    delivery.see_clocks().await?;
    delivery.run(Round::Due).await?;
    done.held = guard(store, settings).await?;
    // How many opt-outs would be lifted is known only when all was read. A file
    // that is refused may stay so for ever, and does not count.
    if done.held.is_none() && done.read.is_none() {
        delivery.run(Round::Clearing).await?;
    }
    delivery.run(Round::Approved).await?;
    tell_skew(delivery.skew().await?);
    tell_unsure(delivery.unsure());
    if tally.get().read > 0 {
        tell_shared(store).await?;
    }
    (done.delivery, done.kept) = (delivery.stopped(), delivery.kept().inspect(tell_stopped));
    done.stopped = stop.is_requested();
    Ok(done)
}

fn tell_stopped(failure: &Failure) {
    if !failure.is_spent() {
        tell_stop(FLOW, failure.to_string());
    }
}

fn of_work(work: Work) -> Ending {
    let mut ending = work.read.as_ref().map(of_failure).unwrap_or_default();
    ending.failed |= work.read.is_some() || work.files_refused;
    ending.all_failed = work.read.is_some();
    ending.kept_refusing = ending.kept_refusing.or(work.kept);
    ending.stopped_by = work.delivery;
    ending.stopped = work.stopped;
    ending.held = work.held.is_some();
    ending.waves = work.held.into_iter().map(HeldBack::Clearings).collect();
    ending
}

fn of_failure(failure: &Failure) -> Ending {
    let when = |outcomes: &[Outcome]| outcomes.contains(&failure.outcome).then(|| failure.clone());
    Ending {
        refused: when(&[Outcome::Refused, Outcome::Spent]),
        // A file server that cannot be reached is tried a few times only.
        kept_refusing: when(&[
            Outcome::ServerError,
            Outcome::NotSent,
            Outcome::Unknown,
            Outcome::Unavailable,
        ]),
        ..Ending::default()
    }
}

/// Why the flow cannot run.
pub(super) enum OptoutProblem {
    /// A system would not say what it has.
    Remote(Failure),
    /// The configuration does not fit what they have.
    Setup(Vec<String>),
}

impl From<Failure> for OptoutProblem {
    fn from(failure: Failure) -> Self {
        Self::Remote(failure)
    }
}

fn contact() -> TableName {
    TableName::contact()
}

impl App {
    /// The mapping that says how a contact is known in Campaign.
    fn contact_mapping(&self) -> Option<&TableMapping> {
        let mut tables = self.config.ingress.iter().flat_map(|ingress| &ingress.tables);
        tables.find(|table| table.dynamics == contact())
    }

    /// The exports, where they are a source.
    fn flag_files(&self, settings: &OptoutSettings) -> Option<FileSource> {
        Some(FileSource::new(self.sftp.clone()?, settings.files.clone()?))
    }

    /// What reads both systems into the ledger.
    pub(super) fn optout_intake(
        &self,
        settings: &OptoutSettings,
        (store, tally): (&Store, &Tally),
        source: OptoutSource,
    ) -> OptoutIntake {
        OptoutIntake {
            dynamics: self.dynamics.clone(),
            campaign: self.campaign.clone(),
            store: store.clone(),
            clock: self.clock.clone(),
            tally: tally.clone(),
            source,
            files: self.flag_files(settings),
            has_read: self.lasting.has_read_flags.clone(),
        }
    }

    /// What the flow reads and writes, from the configuration and both schemas.
    pub(super) async fn optout(
        &self,
        settings: &OptoutSettings,
    ) -> Result<(OptoutSource, ConsentTarget), OptoutProblem> {
        let Some(spec) = self.contact_mapping() else {
            let text = "no [[ingress.table]] maps `contact`; it says how a profile is found";
            return Err(OptoutProblem::Setup(vec![text.to_owned()]));
        };
        // The key alone: fields and filter belong to the ingress flow.
        let spec =
            TableMapping { fields: Vec::new(), links: Vec::new(), filter: None, ..spec.clone() };
        let mut wanted = spec.columns();
        wanted.extend(settings.pairs.iter().map(|pair| pair.column.clone()));
        wanted.extend(BESIDE.iter().filter_map(|name| ColumnName::new(name).ok()));
        wanted.extend(address_column(settings));
        let schema = self.dynamics.table_schema(&spec.dynamics, Some(&wanted)).await?;
        let resource = self.campaign.resource_schema(&spec.campaign).await?;
        let compiled = compile(&spec, &schema, &resource).map_err(|problems| {
            OptoutProblem::Setup(problems.iter().map(|problem| problem.text.clone()).collect())
        })?;
        let pairs = pairs(&settings.pairs, &schema, &resource).map_err(OptoutProblem::Setup)?;
        let pairs: Arc<[BoundPair]> = pairs.into();
        let addresses = address_book(settings, &schema)
            .map_err(|problem| OptoutProblem::Setup(vec![problem]))?;
        let query = Arc::new(Query {
            columns: columns(&compiled.columns(), &wanted, &schema),
            table: schema,
            page_rows: self.config.dynamics.page_rows,
        });
        let (resource, mapping) = (Arc::new(resource), Arc::new(compiled));
        let rest = settings.rest.as_ref();
        let source = OptoutSource {
            query: query.clone(),
            mapping: mapping.clone(),
            resource: resource.clone(),
            key: spec.key.to.clone(),
            changed: has_time(&resource, "lastModified"),
            pairs: pairs.clone(),
            direction: settings.direction,
            rest: rest.map(|rest| (rest.filter.clone(), rest.parameter.clone())),
            addresses,
            epoch: epoch(settings, &spec),
        };
        let campaign = Writer::new(
            self.campaign.clone(),
            resource,
            spec.key.to.clone(),
            lookup(&spec.key.lookup),
            source.profile_fields(),
        );
        let target = ConsentTarget {
            writer: RecordWriter::new(&self.dynamics),
            campaign,
            query,
            mapping,
            pairs,
            direction: settings.direction,
            mode: settings.mode,
            read_back: self.config.campaign.read_back,
            first_rest: self.config.campaign.read_back,
        };
        Ok((source, target))
    }
}

/// A field of the resource that holds a point in time.
fn has_time(resource: &ResourceSchema, name: &str) -> Option<FieldName> {
    let name = FieldName::new(name).ok()?;
    let field = resource.fields.get(&name)?;
    (field.kind == FieldType::DateTime).then_some(name)
}

/// The columns to read: those wanted that the table has.
fn columns(key: &[&Column], wanted: &BTreeSet<ColumnName>, schema: &TableSchema) -> Vec<Column> {
    let mut columns: Vec<Column> = key.iter().map(|column| (*column).clone()).collect();
    for name in wanted {
        if let Some(column) = schema.columns.get(name)
            && column.readable
            && columns.iter().all(|known| known.name != *name)
        {
            columns.push(column.clone());
        }
    }
    columns
}

/// The pairs with the names of this Campaign; all problems, if there are any.
pub(super) fn pairs(
    specs: &[FlagPair],
    table: &TableSchema,
    resource: &ResourceSchema,
) -> Result<Vec<BoundPair>, Vec<String>> {
    let (mut pairs, mut problems) = (Vec::new(), Vec::new());
    for spec in specs {
        match table.columns.get(&spec.column) {
            Some(column) if matches!(column.kind, ColumnType::Boolean(_)) => {}
            Some(_) => problems.push(format!(
                "the column {} of {} is not a boolean; pair one that is",
                spec.column, table.name
            )),
            None => problems.push(format!(
                "{} has no column {}; `cdsync tables {}` lists them",
                table.name, spec.column, table.name
            )),
        }
        let names = wire_names(&spec.flag);
        let has = |name: &FieldName, kind: &FieldType| {
            resource.fields.get(name).is_some_and(|field| field.kind == *kind)
        };
        let Some(wire) = names.iter().find(|name| has(name, &FieldType::Boolean)) else {
            problems.push(format!(
                "{} has no boolean {}; `cdsync resources {}` lists the fields",
                resource.name, spec.flag, resource.name
            ));
            continue;
        };
        let stamp = FieldName::new(&format!("{wire}LastModified"));
        let stamp = stamp.ok().filter(|stamp| has(stamp, &FieldType::DateTime));
        pairs.push(BoundPair { pair: spec.clone(), wire: wire.clone(), stamp });
    }
    if problems.is_empty() { Ok(pairs) } else { Err(problems) }
}

/// A flag as it may be spelled: `blackList…` in the API, `denyList…` in the
/// integration's pages (Campaign sheet, section 4).
fn wire_names(flag: &FieldName) -> Vec<FieldName> {
    let other = flag.as_str().strip_prefix("blackList").map(|rest| format!("denyList{rest}"));
    let other = other.and_then(|name| FieldName::new(&name).ok());
    std::iter::once(flag.clone()).chain(other).collect()
}

/// Changes whenever old agreements would say something else.
fn epoch(settings: &OptoutSettings, spec: &TableMapping) -> String {
    let text =
        format!("{:?}|{:?}|{:?}|{}", settings.direction, settings.pairs, spec.key, spec.campaign);
    blake3::hash(text.as_bytes()).to_hex()[..32].to_owned()
}
