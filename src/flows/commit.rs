//! One transaction: decides a page of changes against what the store knows,
//! and carries the decisions out, together with the cursor.

use crate::model::{Flow, RecordId, TallyDelta};
use crate::store::{
    Action, Checkpoint, Mirror, MirrorState, NewDeadLetter, NewWrite, Note, Payload, Pending,
    Replaced, Step as Traced, StoreError, Work,
};

use super::decide::{Decision, Known, decide};
use super::inventory::key_hash;
use super::links::{self, Before};
use super::prepare::{Content, Prepared, Table};

const FLOW: Flow = Flow::Ingress;

/// What a transaction did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Committed {
    /// For the run's counts.
    pub(crate) tally: TallyDelta,
    /// Records given up, with the reason, to be reported once it lasts.
    pub(crate) given_up: Vec<(RecordId, String)>,
    /// Live records among the changes.
    pub(crate) live: u64,
}

/// Decides a page and stores the cursor behind it.
pub(crate) fn commit_page(
    work: &mut Work<'_>,
    table: &Table,
    page: &[Prepared],
    checkpoint: &Checkpoint,
) -> Result<Committed, StoreError> {
    let committed = decide_page(work, table, page, checkpoint.generation)?;
    work.set_checkpoint(&table.name, checkpoint)?;
    Ok(committed)
}

/// Decides records that no cursor stands behind.
pub(super) fn decide_page(
    work: &mut Work<'_>,
    table: &Table,
    page: &[Prepared],
    generation: i64,
) -> Result<Committed, StoreError> {
    let mut committed = Committed::default();
    let listed = work.has_inventory(&table.name)?;
    let some_left_out = table.is_parent && work.has_left_out(&table.name)?;
    let has_children = table.is_parent && work.has_children(&table.name)?;
    let had_letters = work.dead_letter_count(FLOW, Some(&table.name))? > 0;
    for prepared in page {
        let given_up = had_letters || !committed.given_up.is_empty();
        let kin = Kin { some_left_out, has_children };
        let mut step = Step { work, table, generation, listed, given_up, kin };
        step.run(prepared, &mut committed)?;
    }
    Ok(committed)
}

/// What is known of Campaign's side of a record.
enum Found {
    /// What it was last told, or showed in its listing.
    Known(Mirror),
    /// Nothing.
    Nothing,
    /// It showed the key more than once; a look-up must say whether it still
    /// is so, because a listing is no snapshot.
    Doubtful,
}

struct Step<'w, 's> {
    work: &'w mut Work<'s>,
    table: &'w Table,
    generation: i64,
    /// Whether Campaign's listing holds anything to be asked.
    listed: bool,
    /// Whether the table has dead letters.
    given_up: bool,
    kin: Kin,
}

/// What the store knows of the table as a table of parents.
#[derive(Clone, Copy)]
struct Kin {
    /// Records that the filter leaves out.
    some_left_out: bool,
    /// Records of other tables that link to its records.
    has_children: bool,
}

impl Step<'_, '_> {
    fn run(&mut self, prepared: &Prepared, out: &mut Committed) -> Result<(), StoreError> {
        let name = &self.table.name;
        let (prepared, links) = links::follow(self.work, self.table, prepared)?;
        let prepared = prepared.as_ref();
        let pending = self.work.pending(FLOW, name, prepared.id)?;
        let (mirror, mut doubt) = match self.mirror(prepared)? {
            Found::Known(mirror) => (Some(mirror), false),
            Found::Nothing => (None, false),
            Found::Doubtful => (None, true),
        };
        // A dead letter whose last attempt had no answer may be in Campaign.
        doubt |= self.given_up && self.work.supersede_dead_letter(FLOW, name, prepared.id)?;
        out.tally.read += 1;
        let alive = !matches!(prepared.content, Content::Deleted);
        if alive {
            out.live += 1;
            if mirror.is_some() {
                self.work.mark_seen(name, prepared.id, self.generation)?;
            }
        }
        let known = Known { mirror: mirror.as_ref(), pending, doubt };
        let decision = decide(prepared.content.incoming(), known, self.table.deletions);
        self.trace(prepared, decision, mirror.as_ref());
        let told = mirror.is_some() || doubt || pending.is_some_and(|pending| pending.touched);
        let before = Before { pending, told, some_left_out: self.kin.some_left_out };
        self.carry_out(decision, prepared, mirror, (pending, doubt, alive), out)?;
        links::remember(self.work, self.table, prepared, decision, &links, before)
    }

    fn carry_out(
        &mut self,
        decision: Decision,
        prepared: &Prepared,
        mirror: Option<Mirror>,
        (pending, doubt, alive): (Option<Pending>, bool, bool),
        out: &mut Committed,
    ) -> Result<(), StoreError> {
        let name = &self.table.name;
        match decision {
            Decision::Write => self.write(prepared, (pending, doubt), out)?,
            Decision::Delete => self.delete(prepared, mirror.as_ref(), pending, out)?,
            Decision::Unchanged => {
                out.tally.unchanged += 1;
                self.revive(prepared.id, mirror, alive)?;
                self.withdraw(pending, out)?;
            }
            Decision::LeaveOut => {
                out.tally.filtered += 1;
                self.withdraw(pending, out)?;
            }
            Decision::Forget => {
                out.tally.filtered += 1;
                if let Some(mirror) = mirror {
                    let gone = Mirror { state: MirrorState::Gone, ..mirror };
                    self.work.set_mirror(name, prepared.id, &gone)?;
                }
                self.withdraw(pending, out)?;
            }
            Decision::GiveUp => self.give_up(prepared, (pending, doubt), out)?,
        }
        if doubt { self.keep_doubt(prepared, decision, pending) } else { Ok(()) }
    }

    /// Notes what was read and decided, for `cdsync trace`.
    fn trace(&mut self, prepared: &Prepared, decision: Decision, mirror: Option<&Mirror>) {
        let mut fields = String::new();
        let mut reason = match &prepared.content {
            Content::Record(_) => "",
            Content::FilteredOut(_) => "the filter leaves it out",
            Content::Deleted => "Dynamics no longer has it",
            Content::Failed(reason) => reason,
        };
        let step = match (decision, mirror, &prepared.content) {
            (Decision::Write, Some(mirror), Content::Record(payload)) => {
                for field in payload.changed(&mirror.fields) {
                    if !fields.is_empty() {
                        fields.push(',');
                    }
                    fields.push_str(&field.name);
                }
                Traced::Update
            }
            (Decision::Write, _, _) => Traced::Create,
            (Decision::Delete, _, _) => Traced::Delete,
            (Decision::Unchanged, _, _) => Traced::Unchanged,
            (Decision::LeaveOut | Decision::Forget, _, content) => {
                if matches!(content, Content::Deleted) {
                    reason = "Dynamics no longer has it; deletions are not carried";
                }
                Traced::LeftOut
            }
            (Decision::GiveUp, _, _) => Traced::Unmappable,
        };
        let note = Note { fields: &fields, reason, ..Note::of(step, prepared.version) };
        self.work.note(&self.table.name, prepared.id, &note);
    }

    /// The mirror row; where there is none, what the listing of Campaign
    /// showed becomes one.
    fn mirror(&mut self, prepared: &Prepared) -> Result<Found, StoreError> {
        let name = &self.table.name;
        if let Some(mirror) = self.work.mirror(name, prepared.id)? {
            return Ok(Found::Known(mirror));
        }
        let key = match &prepared.content {
            Content::Record(payload) => &payload.key,
            Content::FilteredOut(Some(key)) => key,
            Content::FilteredOut(None) | Content::Deleted | Content::Failed(_) => {
                return Ok(Found::Nothing);
            }
        };
        if !self.listed {
            return Ok(Found::Nothing);
        }
        let hash = key_hash(self.work.key(), key);
        let Some(listed) = self.work.inventory(name, hash)? else { return Ok(Found::Nothing) };
        if listed.copies > 1 {
            return Ok(Found::Doubtful);
        }
        let mirror = Mirror {
            key: (*key != prepared.id.to_string()).then(|| key.clone()),
            state: MirrorState::Present,
            fields: listed.fields,
            version: None,
            seen: self.generation,
        };
        self.work.set_mirror(name, prepared.id, &mirror)?;
        if self.kin.has_children {
            self.work.parent_arrived(name, prepared.id)?;
        }
        Ok(Found::Known(mirror))
    }

    fn write(
        &mut self,
        prepared: &Prepared,
        (pending, doubt): (Option<Pending>, bool),
        out: &mut Committed,
    ) -> Result<(), StoreError> {
        let Content::Record(payload) = &prepared.content else { return Ok(()) };
        if payload.key != prepared.id.to_string() {
            let name = &self.table.name;
            if let Some(owner) = self.work.key_owner(name, &payload.key, prepared.id)? {
                let reason = format!(
                    "its key is also the key of record {owner}; one of them must get another"
                );
                self.dead_letter(prepared, reason, doubt, out)?;
                return self.withdraw(pending, out);
            }
            out.tally.unchanged += self.work.take_over_key(name, &payload.key, prepared.id)?;
        }
        self.put(prepared, (Action::Write, payload), pending, out)
    }

    /// That Campaign may hold the record counts for what waits now, and for what
    /// may take its place; where nothing waits, for what comes some day.
    fn keep_doubt(
        &mut self,
        prepared: &Prepared,
        decision: Decision,
        pending: Option<Pending>,
    ) -> Result<(), StoreError> {
        match decision {
            Decision::Write | Decision::Delete if pending.is_none() => {
                self.work.mark_uncertain(FLOW, &self.table.name, prepared.id)
            }
            Decision::LeaveOut | Decision::Forget => self.work.note_doubt(prepared.id),
            Decision::Write | Decision::Delete | Decision::Unchanged | Decision::GiveUp => Ok(()),
        }
    }

    fn delete(
        &mut self,
        prepared: &Prepared,
        mirror: Option<&Mirror>,
        pending: Option<Pending>,
        out: &mut Committed,
    ) -> Result<(), StoreError> {
        let filtered_key = match &prepared.content {
            Content::FilteredOut(key) => key.clone(),
            Content::Record(_) | Content::Deleted | Content::Failed(_) => None,
        };
        let key = mirror
            .map(|mirror| mirror.key.clone().unwrap_or_else(|| prepared.id.to_string()))
            .or_else(|| self.table.mapping.key_of_id(prepared.id))
            .or(filtered_key);
        let key = match (key, pending) {
            (Some(key), _) => key,
            // The key of a record that was never acknowledged is in its write.
            (None, Some(pending)) => self.work.pending_key(pending.id)?,
            (None, None) => {
                out.tally.unchanged += 1;
                return Ok(());
            }
        };
        if key != prepared.id.to_string()
            && self.work.key_owner(&self.table.name, &key, prepared.id)?.is_some()
        {
            // Campaign's record is another one's by now.
            self.work.remove_mirror(&self.table.name, prepared.id)?;
            out.tally.unchanged += 1;
            return self.withdraw(pending, out);
        }
        let payload = Payload {
            key,
            initial: false,
            fields: Vec::new(),
            links: Vec::new(),
            opt_outs: Vec::new(),
        };
        self.put(prepared, (Action::Delete, &payload), pending, out)
    }

    fn put(
        &mut self,
        prepared: &Prepared,
        (action, payload): (Action, &Payload),
        pending: Option<Pending>,
        out: &mut Committed,
    ) -> Result<(), StoreError> {
        let new = NewWrite {
            flow: FLOW,
            table: &self.table.name,
            record: prepared.id,
            action,
            payload,
            version: prepared.version,
            seen: self.generation,
        };
        let replaced = self.work.put(&new, pending)?;
        if replaced == Replaced::Waiting {
            out.tally.unchanged += 1;
        }
        Ok(())
    }

    /// Takes back what waits, unless it is being worked on.
    fn withdraw(
        &mut self,
        pending: Option<Pending>,
        out: &mut Committed,
    ) -> Result<(), StoreError> {
        if let Some(pending) = pending
            && !pending.touched
        {
            self.work.withdraw(pending.id)?;
            out.tally.unchanged += 1;
        }
        Ok(())
    }

    /// A record that Dynamics has again is no longer gone.
    fn revive(
        &mut self,
        record: RecordId,
        mirror: Option<Mirror>,
        alive: bool,
    ) -> Result<(), StoreError> {
        match mirror {
            Some(mirror) if alive && mirror.state == MirrorState::Gone => {
                let present =
                    Mirror { state: MirrorState::Present, seen: self.generation, ..mirror };
                self.work.set_mirror(&self.table.name, record, &present)
            }
            Some(_) | None => Ok(()),
        }
    }

    fn give_up(
        &mut self,
        prepared: &Prepared,
        (pending, doubt): (Option<Pending>, bool),
        out: &mut Committed,
    ) -> Result<(), StoreError> {
        let Content::Failed(reason) = &prepared.content else { return Ok(()) };
        self.dead_letter(prepared, reason.clone(), doubt, out)?;
        self.withdraw(pending, out)
    }

    fn dead_letter(
        &mut self,
        prepared: &Prepared,
        reason: String,
        uncertain: bool,
        out: &mut Committed,
    ) -> Result<(), StoreError> {
        self.work.add_dead_letter(&NewDeadLetter {
            flow: FLOW,
            table: self.table.name.clone(),
            record: prepared.id,
            write: None,
            version: prepared.version,
            seen: self.generation,
            reason: reason.clone(),
            status: None,
            request_id: None,
            attempts: 0,
            uncertain,
        })?;
        out.tally.dead_lettered += 1;
        out.given_up.push((prepared.id, reason));
        Ok(())
    }
}
