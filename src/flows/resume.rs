//! Where a table goes on: from its checkpoint, or, after a change of its
//! mapping, with a look at the records that the change concerns.

use crate::model::{Flow, TableName};
use crate::store::{Checkpoint, KnownTable, Position, StoreError, Work};
use crate::telemetry::MappingChanged;

use super::ingress::{Intake, IntakeError, refuse_other_target};
use super::prepare::Table;
use super::remap::{Change, Reach, compare};

const FLOW: Flow = Flow::Ingress;

/// One in so many records, and a full read costs less than reading by id.
const FEW: u64 = 5;

/// What follows from a changed mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remapped {
    /// The table.
    pub(crate) table: TableName,
    /// The fields concerned.
    pub(crate) fields: Vec<String>,
    /// What changed.
    pub(crate) parts: Vec<String>,
    /// Records that the change can concern.
    pub(crate) rows: u64,
    /// Records of the table in Campaign.
    pub(crate) records: u64,
    /// `none`, `by-id` or `full-read`.
    pub(crate) read: &'static str,
}

impl Intake {
    /// Before anything is delivered: what waits under an old mapping is taken
    /// back. A table whose mapping cannot go on says so when its turn comes.
    pub(crate) async fn take_back(&self, tables: &[Table]) -> Result<(), StoreError> {
        for table in tables {
            match self.checkpoint(table).await {
                Err(IntakeError::Store(error)) => return Err(error),
                Ok(_)
                | Err(
                    IntakeError::Remote(_)
                    | IntakeError::Drifted(..)
                    | IntakeError::Table(_)
                    | IntakeError::Held,
                ) => {}
            }
        }
        Ok(())
    }

    /// Where the table goes on, and what a change of its mapping comes to. One
    /// that names another target needs another store.
    pub(super) async fn checkpoint(
        &self,
        table: &Table,
    ) -> Result<(Checkpoint, Option<Remapped>), IntakeError> {
        let (name, shape) = (table.name.clone(), table.shape.clone());
        let (stored, known) =
            self.store.call(move |work| Ok((work.checkpoint(&name)?, work.shape(&name)?))).await?;
        let mapping = format!("{}|{}", table.identity, table.digest);
        let Some(stored) = stored else {
            self.remember(table).await?;
            let position = Position::Inventory { next: None };
            return Ok((Checkpoint { position, generation: 1, mapping }, None));
        };
        refuse_other_target(&stored, table)?;
        let change = change(known.as_ref(), &shape, stored.mapping == mapping);
        if stored.mapping == mapping && !change.failed && change.parts.is_empty() {
            if known.is_none() {
                self.remember(table).await?;
            }
            return Ok((stored, None));
        }
        let again = self.begin_again(&stored.position);
        let (name, tally) = (table.name.clone(), self.tally.clone());
        let done = self
            .store
            .call(move |work| {
                let next = Checkpoint { mapping, ..stored };
                let done = carry_out(work, &name, &change, next, again)?;
                work.set_shape(&name, &shape)?;
                tally.add(crate::model::TallyDelta {
                    unchanged: done.dropped,
                    ..Default::default()
                });
                Ok(done)
            })
            .await?;
        if let Some(remapped) = &done.remapped {
            MappingChanged {
                flow: FLOW,
                table: table.name.clone(),
                reason: remapped.parts.join(", "),
                rows: remapped.rows,
                records: remapped.records,
                read: remapped.read,
            }
            .emit();
        }
        Ok((done.checkpoint, done.remapped))
    }

    /// Remembers what the mapping rests on, for the next pass to compare with.
    async fn remember(&self, table: &Table) -> Result<(), StoreError> {
        let (name, shape) = (table.name.clone(), table.shape.clone());
        self.store.call(move |work| work.set_shape(&name, &shape)).await
    }

    /// The beginning of a full read in place of `position`.
    fn begin_again(&self, position: &Position) -> Position {
        let initial = match position {
            Position::Inventory { .. } => return position.clone(),
            Position::FullRead { initial, .. }
            | Position::CatchUp { initial, .. }
            | Position::DiffRead { initial, .. } => *initial,
            Position::Presence { .. }
            | Position::Sweep { .. }
            | Position::Delta { .. }
            | Position::DiffSweep { .. }
            | Position::DiffRest { .. } => false,
        };
        let started = self.clock.now();
        Position::FullRead { next: None, started, pages: 0, rows: 0, initial }
    }
}

/// What changed. A store that an earlier version wrote knows a digest of the
/// whole only.
fn change(known: Option<&KnownTable>, now: &KnownTable, same_digest: bool) -> Change {
    match known {
        Some(known) => compare(known, now),
        None if same_digest => Change::default(),
        None => Change {
            parts: vec!["what both schemas say".to_owned()],
            reach: Reach::All,
            failed: true,
            ..Change::default()
        },
    }
}

struct Done {
    checkpoint: Checkpoint,
    remapped: Option<Remapped>,
    /// Decisions that were taken back.
    dropped: u64,
}

/// Takes back what was decided under the old mapping, and lists what is to be
/// read again, in the transaction of the new position.
fn carry_out(
    work: &mut Work<'_>,
    table: &TableName,
    change: &Change,
    stored: Checkpoint,
    again: Position,
) -> Result<Done, StoreError> {
    let records = work.mapped_records(table)?;
    let following = matches!(stored.position, Position::Delta { .. });
    // By id only while the changes are followed anyway, and only a few.
    let most = if following { records / FEW } else { 0 };
    let told = match &change.reach {
        Reach::Told(wanted) => work.remap_told(table, wanted, most)?,
        Reach::Nothing | Reach::All => 0,
    };
    let full = match &change.reach {
        Reach::Nothing => false,
        Reach::Told(_) => told > most,
        Reach::All => true,
    };
    let dropped = if change.parts.is_empty() { 0 } else { work.redecide_waiting(table, full)? };
    if !change.returned.is_empty() {
        work.doubt_fields(table, &change.returned)?;
    }
    let failed = if change.failed && !full {
        work.remap_failed(table, !change.parts.is_empty())?
    } else {
        0
    };
    let (position, generation) =
        if full { (again, stored.generation + 1) } else { (stored.position, stored.generation) };
    let checkpoint = Checkpoint { position, generation, mapping: stored.mapping };
    work.set_checkpoint(table, &checkpoint)?;
    let rows = match (&change.reach, full) {
        (Reach::All, _) => records + dropped,
        (_, true) => told + dropped,
        (_, false) => work.remap_count(table)?,
    };
    let read = match (full, rows) {
        (true, _) => "full-read",
        (false, 0) => "none",
        (false, _) => "by-id",
    };
    let said = !change.parts.is_empty() || failed > 0;
    let parts = if change.parts.is_empty() {
        vec!["types, lengths or labels".to_owned()]
    } else {
        change.parts.clone()
    };
    let fields = change.fields.clone();
    let remapped =
        said.then(|| Remapped { table: table.clone(), fields, parts, rows, records, read });
    Ok(Done { checkpoint, remapped, dropped })
}
