//! One load of events on its way: rows made of them, cut into requests, sent.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use crate::dynamics::{
    ActivityShape, ActivityTable, Detail, Failure, MOST_BYTES, Part, PartEnd, Writer, detail, split,
};
use crate::model::{EventKind, RecordId, Stop};
use crate::store::{EventStage, LeasedEvent};

use super::activity_fate::Answer;
use super::evidence::Mark;

/// Where activities go. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct ActivityTargets {
    /// Writes rows of all tables.
    pub(crate) writer: Writer,
    /// The table of each kind that is switched on.
    pub(crate) tables: HashMap<EventKind, ActivityTable>,
}

impl ActivityTargets {
    /// The same targets for work that may be asked to end.
    pub(crate) fn until(&self, stop: &Stop) -> Self {
        let tables = self.tables.iter().map(|(kind, table)| (*kind, table.until(stop)));
        Self { writer: self.writer.until(stop), tables: tables.collect() }
    }
}

/// An event on its way.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) leased: LeasedEvent,
    /// Whom it regards.
    pub(super) contact: RecordId,
    /// Its last failure.
    pub(super) mark: Option<Mark>,
}

/// Events that go together.
#[derive(Clone, Debug, Default)]
pub(super) struct Load {
    pub(super) items: Vec<Item>,
    /// How often a request with all of them failed as a whole.
    pub(super) tries: u32,
}

/// What came of a load.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// Events with an answer of their own.
    pub(super) answered: Vec<(Item, Answer)>,
    /// Requests that failed as a whole.
    pub(super) failed: Vec<(Load, Failure)>,
}

/// Sends a load: mostly one request, more where its rows are large.
pub(super) async fn send(targets: &ActivityTargets, load: Load) -> Sent {
    let mut sent = Sent::default();
    let shapes = shapes(targets, &load.items).await;
    let (mut items, mut parts) = (Vec::new(), Vec::new());
    for item in load.items {
        match shapes.get(&item.leased.event.kind) {
            Some(Ok(shape)) => match part(shape, &item) {
                Ok(part) => {
                    items.push(item);
                    parts.push(part);
                }
                Err(answer) => sent.answered.push((item, answer)),
            },
            Some(Err(failure)) => sent.answered.push((item, Answer::Table(failure.clone()))),
            // A kind that is not switched on is not leased.
            None => sent.answered.push((item, Answer::Part(PartEnd::NotReached))),
        }
    }
    let sizes: Vec<usize> = parts.iter().map(Part::bytes).collect();
    let (mut items, mut start) = (items.into_iter(), 0);
    while start < parts.len() {
        let ranges = split(&sizes[start..], targets.writer.most_parts(), MOST_BYTES);
        let count = ranges.first().map_or(1, Range::len);
        let answer = targets.writer.send(&parts[start..start + count]).await;
        // Others have used of the day's budget since it was looked at.
        let too_many =
            |failure: &Failure| failure.is_spent() && targets.writer.most_parts() < count;
        if answer.as_ref().is_err_and(too_many) {
            continue;
        }
        start += count;
        let these: Vec<Item> = items.by_ref().take(count).collect();
        match answer {
            Ok(ends) => {
                sent.answered.extend(these.into_iter().zip(ends.into_iter().map(Answer::Part)));
            }
            Err(failure) => {
                sent.failed.push((Load { items: these, tries: load.tries }, failure));
                break;
            }
        }
    }
    let rest = items.map(|item| (item, Answer::Part(PartEnd::NotReached)));
    sent.answered.extend(rest);
    sent
}

/// The metadata of each table that the events need.
async fn shapes(
    targets: &ActivityTargets,
    items: &[Item],
) -> HashMap<EventKind, Result<Arc<ActivityShape>, Failure>> {
    // In an order of its own: a life can be repeated.
    let mut wanted: BTreeMap<EventKind, Detail> = BTreeMap::new();
    for item in items {
        let event = &item.leased.event;
        let wanted = wanted.entry(event.kind).or_insert(Detail::Names);
        if *wanted == Detail::Names {
            *wanted = detail(event);
        }
    }
    let mut shapes = HashMap::new();
    for (kind, detail) in wanted {
        if let Some(table) = targets.tables.get(&kind) {
            shapes.insert(kind, table.shape(detail).await);
        }
    }
    shapes
}

fn part(shape: &ActivityShape, item: &Item) -> Result<Part, Answer> {
    let Item { leased, contact, .. } = item;
    match leased.stage {
        EventStage::New => shape
            .make(leased.activity, &leased.event, *contact)
            .map_err(|misfit| Answer::Misfit(misfit.reason)),
        EventStage::Made => Ok(shape.complete(leased.activity)),
    }
}
