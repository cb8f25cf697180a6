//! Single records of a comparison: both systems are asked for each as it is
//! now, it is judged, told, and, in a repair, mended.

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::campaign::{Found as Answer, Listed, encode};
use crate::model::{Flow, RecordId};
use crate::store::{Fingerprint, Mirror, MirrorState, Scope, StoreError, UNKNOWN, Work};

use super::commit::{Committed, decide_page};
use super::compare::{Comparison, counted_by_page, shown};
use super::ingress::IntakeError;
use super::judge::{
    DriftKind, Holding, LINKED, Story, Verdict, Wanted, differing, judge, mendable,
};
use super::links::follow;
use super::prepare::{Content, Prepared, Table};
use super::replay::{IDS, forget, generation, look_up};
use super::report::{Drift, DriftField, Found};
use super::steps::report_committed;

const FLOW: Flow = Flow::Ingress;

/// Look-ups of one comparison that are on their way at one time.
const LOOKUPS: usize = 8;

/// One record with what is known of it.
struct Case {
    /// As it was read; the decision settles its links once more.
    read: Prepared,
    /// As it is to be in Campaign.
    prepared: Prepared,
    /// The key it has, or had, in Campaign; none, if it can have none there.
    key: Option<String>,
    /// Whether the store knows it in Campaign.
    mirrored: bool,
    story: Story,
    answer: Option<Answer>,
}

/// What is to be mended, and how.
struct Mend {
    read: Prepared,
    prepared: Prepared,
    kind: DriftKind,
    key: String,
    /// What Campaign holds.
    holds: BTreeMap<String, Fingerprint>,
}

impl Comparison<'_> {
    /// Judges the next records of the list. False if there are none.
    pub(super) async fn judge_records(&mut self) -> Result<bool, IntakeError> {
        let left = self.budget.map_or(u64::MAX, |budget| budget.saturating_sub(self.calls + 1));
        let most = usize::try_from(left).unwrap_or(IDS).min(IDS);
        let id = self.request.id;
        let asked = self.intake.store.call(move |work| work.resync_records(id, most)).await?;
        if asked.is_empty() {
            return Ok(false);
        }
        self.calls += 1;
        let changes = look_up(self.intake, &self.pages.query(&self.table), &asked).await?;
        let seal = self.intake.store.key();
        let prepared =
            changes.iter().map(|change| self.table.prepare(change, false, seal)).collect();
        let cases = self.cases(prepared).await?;
        self.calls += cases.iter().filter(|case| asks(case)).count() as u64;
        let finder = self.finder;
        let cases: Vec<Case> = stream::iter(cases)
            .map(|case| async move {
                let answer = match &case.key {
                    Some(key) if asks(&case) => Some(finder.find(key).await?),
                    Some(_) | None => None,
                };
                Ok::<_, IntakeError>(Case { answer, ..case })
            })
            .buffered(LOOKUPS)
            .try_collect()
            .await?;
        if !counted_by_page(&self.request) {
            self.taken(asked.len());
            let gone = cases.iter().filter(|it| matches!(it.prepared.content, Content::Deleted));
            self.absent += gone.count() as u64;
            if self.request.scope == Scope::Ids {
                self.nowhere.extend(cases.iter().filter(|it| nowhere(it)).map(|it| it.read.id));
            }
        }
        let (drifts, mends, found) = self.verdicts(cases);
        self.settle(asked, mends).await?;
        self.found.add(found);
        for drift in drifts {
            self.intake.requests.report.drift(drift);
        }
        Ok(true)
    }

    /// What the store knows of these records.
    async fn cases(&self, prepared: Vec<Prepared>) -> Result<Vec<Case>, StoreError> {
        let table = self.table.clone();
        self.intake
            .store
            .call(move |work| {
                let case = |read: Prepared| {
                    let prepared = follow(work, &table, &read)?.0.into_owned();
                    let pending = work.pending(FLOW, &table.name, prepared.id)?.is_some();
                    let mirror = work.mirror(&table.name, prepared.id)?;
                    let known = mirror.as_ref().map(|mirror| {
                        mirror.key.clone().unwrap_or_else(|| prepared.id.to_string())
                    });
                    let key = match &prepared.content {
                        Content::Record(payload) => Some(payload.key.clone()),
                        Content::FilteredOut(key) => key.clone().or(known),
                        Content::Deleted => known.or_else(|| table.mapping.key_of_id(prepared.id)),
                        Content::Failed(_) => None,
                    };
                    let mirrored = mirror.is_some();
                    let kept = mirror.is_some_and(|mirror| mirror.state == MirrorState::Gone);
                    let story = Story { pending, kept };
                    Ok(Case { read, prepared, key, mirrored, story, answer: None })
                };
                prepared.into_iter().map(case).collect()
            })
            .await
    }

    fn verdicts(&self, cases: Vec<Case>) -> (Vec<Drift>, Vec<Mend>, Found) {
        let (mut drifts, mut mends, mut found) = (Vec::new(), Vec::new(), Found::default());
        let seal = self.intake.store.key();
        for case in cases {
            let one = match &case.answer {
                Some(Answer::One(listed)) => Some(listed.as_ref()),
                Some(Answer::Nothing | Answer::Several(_)) | None => None,
            };
            let holds = one.map(|listed| shown(seal, &self.table, listed));
            let holding = match (&case.answer, &holds) {
                (Some(Answer::Several(_)), _) => Holding::Several,
                (_, Some(holds)) => Holding::One(holds),
                (_, None) => Holding::Nothing,
            };
            let wanted = wanted(&case.prepared.content);
            let deletions = self.table.deletions;
            let verdict = judge(wanted, holding, case.story, deletions);
            found.count(&verdict);
            let Verdict::Drift(kind, names) = verdict else { continue };
            let mended = self.repair && mendable(wanted, kind, deletions);
            found.mended += u64::from(mended);
            let key = case.key.unwrap_or_default();
            drifts.push(Drift {
                table: self.table.name.clone(),
                id: case.prepared.id,
                key: key.clone(),
                kind,
                fields: self.fields(&names, &case.prepared, one),
                mended,
            });
            if mended {
                let holds = holds.unwrap_or_default();
                let (read, prepared) = (case.read, case.prepared);
                mends.push(Mend { read, prepared, kind, key, holds });
            }
        }
        (drifts, mends, found)
    }

    fn fields(
        &self,
        names: &[String],
        prepared: &Prepared,
        one: Option<&Listed>,
    ) -> Vec<DriftField> {
        let field = |name: &String| {
            let dynamics = match &prepared.content {
                Content::Record(payload) => {
                    payload.fields.iter().find(|field| *field.name == **name)
                }
                Content::FilteredOut(_) | Content::Deleted | Content::Failed(_) => None,
            };
            let held = one.and_then(|listed| {
                listed.fields.iter().find(|(held, _)| held.as_str() == name.as_str())
            });
            DriftField {
                name: name.clone(),
                campaign: held
                    .map(|(_, value)| encode(value, self.table.clearing).get().to_owned())
                    .unwrap_or_default(),
                dynamics: dynamics.map(|field| field.json.get().to_owned()).unwrap_or_default(),
            }
        };
        names.iter().map(field).collect()
    }

    /// Takes the records off the list, together with the decisions that mend
    /// them.
    async fn settle(&mut self, asked: Vec<RecordId>, mends: Vec<Mend>) -> Result<(), IntakeError> {
        let (table, tally) = (self.table.clone(), self.intake.tally.clone());
        let request = self.request.clone();
        let committed = self
            .intake
            .store
            .call(move |work| {
                let committed = commit_mends(work, &table, mends)?;
                tally.add(committed.tally);
                work.resync_records_done(request.id, &asked)?;
                work.set_resync(&request)?;
                Ok(committed)
            })
            .await?;
        report_committed(self.intake, &self.table, committed);
        Ok(())
    }
}

fn asks(case: &Case) -> bool {
    case.key.is_some() && !case.story.pending
}

/// Whether neither system nor the store knows the record.
fn nowhere(case: &Case) -> bool {
    matches!(case.read.content, Content::Deleted)
        && matches!(case.answer, Some(Answer::Nothing) | None)
        && !case.mirrored
        && !case.story.pending
}

fn wanted(content: &Content) -> Wanted<'_> {
    match content {
        Content::Record(payload) => Wanted::Record(payload),
        Content::FilteredOut(_) => Wanted::FilteredOut,
        Content::Deleted => Wanted::Gone,
        Content::Failed(_) => Wanted::Unmappable,
    }
}

/// Tells the mirror what Campaign really has, and lets the usual decision find
/// what is to be written.
fn commit_mends(
    work: &mut Work<'_>,
    table: &Table,
    mends: Vec<Mend>,
) -> Result<Committed, StoreError> {
    if mends.is_empty() {
        return Ok(Committed::default());
    }
    let generation = generation(work, table)?;
    let (mut page, mut doubtful) = (Vec::with_capacity(mends.len()), Vec::new());
    for mend in mends {
        let id = mend.prepared.id;
        // Decided since: that decision knows better.
        if work.pending(FLOW, &table.name, id)?.is_some() {
            continue;
        }
        match mend.kind {
            DriftKind::Missing => {
                forget(work, table, id)?;
                doubtful.push(id);
            }
            DriftKind::Edited | DriftKind::Orphaned => {
                let known = work.mirror(&table.name, id)?;
                let mirror = corrected(known, &mend, generation);
                work.set_mirror(&table.name, id, &mirror)?;
            }
            DriftKind::Duplicated => continue,
        }
        // With the links that it goes without: they are remembered.
        page.push(mend.read);
    }
    let committed = decide_page(work, table, &page, generation)?;
    for id in doubtful {
        work.mark_uncertain(FLOW, &table.name, id)?;
    }
    Ok(committed)
}

/// The mirror row as it should have been.
fn corrected(known: Option<Mirror>, mend: &Mend, generation: i64) -> Mirror {
    // A set link: where both sides have one, what was told of it stays.
    let set = mend.holds.iter().filter(|(_, print)| **print == LINKED).map(|(name, _)| name);
    let drifted: Vec<String> = match &mend.prepared.content {
        Content::Record(payload) => differing(payload, &mend.holds),
        Content::FilteredOut(_) | Content::Deleted | Content::Failed(_) => Vec::new(),
    };
    let drifted: Vec<String> = set.filter(|name| drifted.contains(name)).cloned().collect();
    let mut fields = mend.holds.clone();
    fields.retain(|_, print| *print != LINKED);
    fields.extend(drifted.into_iter().map(|name| (name, UNKNOWN)));
    let (mut version, mut seen) = (None, generation);
    if let Some(known) = known {
        // What could not be read of Campaign stays as it was told.
        for (name, fingerprint) in known.fields {
            fields.entry(name).or_insert(fingerprint);
        }
        (version, seen) = (known.version, known.seen);
    }
    Mirror {
        key: (mend.key != mend.prepared.id.to_string()).then(|| mend.key.clone()),
        state: MirrorState::Present,
        fields,
        version,
        seen,
    }
}
