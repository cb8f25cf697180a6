//! Where a table goes on: from its checkpoint, or, after a change of its
//! mapping, with a look at the records that the change concerns.

use crate::dynamics::askable;
use crate::mapping::Ask;
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
    /// Records that the change can concern; none while Dynamics has not been
    /// asked for them.
    pub(crate) rows: Option<u64>,
    /// Records of the table in Campaign.
    pub(crate) records: u64,
    /// `none`, `by-id`, `by-filter` or `full-read`.
    pub(crate) read: &'static str,
    /// Why all rows are read, where they are.
    pub(crate) why: Option<&'static str>,
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
        let mapping = table.mapping_of_cursor();
        let Some(stored) = stored else {
            self.remember(table).await?;
            let position = Position::Inventory { next: None };
            return Ok((Checkpoint { position, generation: 1, mapping }, None));
        };
        refuse_other_target(&stored, table)?;
        let same = stored.mapping == mapping;
        let change = change(known.as_ref(), &shape, same, table.is_parent);
        if same && !change.failed && change.parts.is_empty() {
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
                why: remapped.why.map(str::to_owned),
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
            | Position::Affected { .. }
            | Position::Delta { .. }
            | Position::DiffSweep { .. }
            | Position::DiffRest { .. } => false,
        };
        let started = self.clock.now();
        Position::FullRead { next: None, started, began: None, pages: 0, rows: 0, initial }
    }
}

/// What changed. A store that an earlier version wrote knows a digest of the
/// whole only.
fn change(known: Option<&KnownTable>, now: &KnownTable, same_digest: bool, parent: bool) -> Change {
    match known {
        Some(known) => compare(known, now, parent),
        None if same_digest => Change::default(),
        None => Change {
            parts: vec!["what both schemas say".to_owned()],
            reach: Reach { all: Some("what the mapping was is not known"), ..Reach::default() },
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

/// How the records that a change concerns are found.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Search {
    /// All rows are read anew; why.
    Full(&'static str),
    /// Dynamics is asked for some.
    Ask(Ask),
    /// By what the store lists.
    Listed,
}

/// Decides how to search. `told`: records that were told what changes, and how
/// many of them may be read by id.
fn search(reach: &Reach, (told, most): (u64, u64), following: bool) -> Search {
    if let Some(why) = reach.all {
        return Search::Full(why);
    }
    let mut asks = reach.asks.clone();
    if told > most {
        asks.extend(reach.instead.iter().cloned());
    }
    let ask = Ask::any(asks);
    if ask == Ask::Never {
        Search::Listed
    } else if !following {
        Search::Full("the table was still being read")
    } else if ask == Ask::Always {
        Search::Full("Dynamics cannot be asked for fewer")
    } else if !askable(&ask.text()) {
        Search::Full("asking for fewer would take too long a URL")
    } else {
        Search::Ask(ask)
    }
}

/// The position from which a table goes on whose changes are followed.
fn asking(position: &Position, ask: &Ask) -> Option<Position> {
    let asked = |filter, (link, obtained, within): (&String, _, _)| {
        let link = link.clone();
        Some(Position::Affected { filter, next: None, link, obtained, within })
    };
    if let Position::Delta { link, obtained, within } = position {
        return asked(ask.text(), (link, *obtained, *within));
    }
    if let Position::Affected { filter, link, obtained, within, .. } = position {
        // An earlier change is not carried out yet: what either concerns.
        let both = Ask::any(vec![Ask::of_text(filter), ask.clone()]);
        return asked(both.text(), (link, *obtained, *within));
    }
    None
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
    let following = matches!(stored.position, Position::Delta { .. } | Position::Affected { .. });
    // By id only while the changes are followed anyway, and only a few.
    let most = if following { records / FEW } else { 0 };
    let told = work.remap_told(table, &change.reach.told, most)?;
    let search = search(&change.reach, (told, most), following);
    let full = matches!(search, Search::Full(_));
    let dropped = if change.parts.is_empty() { 0 } else { work.redecide_waiting(table, full)? };
    if !change.returned.is_empty() {
        if !full {
            work.remap_told(table, &change.returned, u64::MAX)?;
        }
        work.doubt_fields(table, &change.returned.keys().cloned().collect::<Vec<_>>())?;
    }
    let mut failed = 0;
    if !full {
        work.remap_missed(table, &change.reach.missed)?;
        if change.reach.deletions {
            work.redecide_deletions(table)?;
        }
        if change.failed {
            failed = work.remap_failed(table, !change.parts.is_empty())?;
        }
    }
    let asked = if let Search::Ask(ask) = &search { asking(&stored.position, ask) } else { None };
    let (rows, read, why) = match &search {
        Search::Full(why) => (Some(records + dropped), "full-read", Some(*why)),
        Search::Ask(_) => (None, "by-filter", None),
        Search::Listed => match work.remap_count(table)? {
            0 => (Some(0), "none", None),
            count => (Some(count), "by-id", None),
        },
    };
    let generation = stored.generation + i64::from(full);
    let position = if full { again } else { asked.unwrap_or(stored.position) };
    let checkpoint = Checkpoint { position, generation, mapping: stored.mapping };
    work.set_checkpoint(table, &checkpoint)?;
    let said = !change.parts.is_empty() || failed > 0;
    let parts = if change.parts.is_empty() {
        vec!["types, lengths or labels".to_owned()]
    } else {
        change.parts.clone()
    };
    let (table, fields) = (table.clone(), change.fields.clone());
    let remapped = said.then_some(Remapped { table, fields, parts, rows, records, read, why });
    Ok(Done { checkpoint, remapped, dropped })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Ask {
        Ask::Said(text.to_owned())
    }

    #[test]
    fn the_narrowest_way_that_finds_all_is_taken() {
        let all = Reach { all: Some("key"), asks: vec![said("a")], ..Reach::default() };
        let asks = Reach { asks: vec![said("a"), Ask::Never], ..Reach::default() };
        let any = Reach { asks: vec![said("a"), Ask::Always], ..Reach::default() };
        let told = Reach { instead: vec![said("b")], ..Reach::default() };
        let long = Reach { asks: vec![said(&"x".repeat(20_000))], ..Reach::default() };
        let full = Search::Full;
        // reach, (told, most), following → search
        let cases = [
            (&Reach::default(), (0, 0), false, Search::Listed),
            (&all, (0, 9), true, full("key")),
            (&asks, (0, 9), true, Search::Ask(said("a"))),
            (&asks, (0, 0), false, full("the table was still being read")),
            (&any, (0, 9), true, full("Dynamics cannot be asked for fewer")),
            (&told, (9, 9), true, Search::Listed),
            (&told, (10, 9), true, Search::Ask(said("b"))),
            (&told, (1, 0), false, full("the table was still being read")),
            (&long, (0, 9), true, full("asking for fewer would take too long a URL")),
        ];
        for (row, (reach, told, following, expected)) in cases.into_iter().enumerate() {
            assert_eq!(search(reach, told, following), expected, "row {row}");
        }
    }

    #[test]
    fn a_second_change_asks_for_the_rows_of_both_from_the_beginning() {
        let obtained: jiff::Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let at = |filter: &str, next: Option<String>| Position::Affected {
            filter: filter.to_owned(),
            next,
            link: "/d".to_owned(),
            obtained,
            within: true,
        };
        let delta = Position::Delta { link: "/d".to_owned(), obtained, within: true };
        assert_eq!(asking(&delta, &said("a")), Some(at("a", None)));
        let under_way = at("a", Some("/p".to_owned()));
        assert_eq!(asking(&under_way, &said("b")), Some(at("(a or b)", None)));
        assert_eq!(asking(&Position::Inventory { next: None }, &said("a")), None);
    }
}
