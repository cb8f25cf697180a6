//! What a source told of a flag: a hint, which decides only whether the flag is
//! to be looked at. Nothing is written on a hint alone.

use jiff::Timestamp;

use super::{FlagRow, FlagState};
use crate::model::consent::{Agreement, CampaignSide};
use crate::model::{FieldName, Flow, RecordId, TableName};
use crate::store::{StoreError, Work};

/// What became of a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hinted {
    /// The flag is to be looked at.
    Due,
    /// Nothing new, or both sides say the same.
    Same,
    /// An older hint than one that was there already, of the same value.
    Stale,
}

/// The position of a listing that is over.
const ALL_SEEN: &str = "\"done\"";

/// Rows that are looked at in one round.
const ROUND: usize = 500;

impl FlagRow {
    /// Whether an opt-out that the profile has is still to be brought to Dynamics:
    /// not one that both had, and that Dynamics has lifted since.
    pub(crate) fn is_owed_to_dynamics(&self) -> bool {
        let had = self.agreement.is_some_and(|agreed| agreed.campaign == self.campaign);
        let says = self.campaign.opted_out && !self.dynamics && !had;
        says && self.state != FlagState::Settled
    }

    /// With the agreement that both said no, where they did.
    pub(crate) fn with_both(self) -> Self {
        if !(self.dynamics && self.campaign.opted_out) {
            return self;
        }
        let own_campaign = self.agreement.and_then(|agreement| agreement.own_campaign);
        let both = Agreement { campaign: self.campaign, dynamics: true, own_campaign };
        Self { agreement: Some(both), ..self }
    }

    /// Whether something is still to be decided: another's no is to count, or the sides
    /// differ as nobody has decided that they may.
    fn is_undecided(&self) -> bool {
        let sides = (self.dynamics, self.campaign.opted_out);
        let agreed = self.agreement.map(|it| (it.dynamics, it.campaign.opted_out));
        self.merged || (sides.0 != sides.1 && agreed != Some(sides))
    }
}

fn due(row: FlagRow) -> FlagRow {
    FlagRow { state: FlagState::Due, attempts: 0, ..row }
}

impl Work<'_> {
    /// Dynamics holds `value`.
    pub(crate) fn hint_dynamics(
        &mut self,
        contact: RecordId,
        flag: &FieldName,
        value: bool,
        told_by: &str,
    ) -> Result<Hinted, StoreError> {
        let Some(known) = self.flag(contact, flag)? else {
            if !value {
                return Ok(Hinted::Same);
            }
            let fresh = self.never_touched(contact, flag, told_by)?;
            return self.weigh(FlagRow { dynamics: true, ..fresh });
        };
        if known.dynamics == value {
            return Ok(as_it_was(&known));
        }
        self.weigh(FlagRow { dynamics: value, ..known.told(told_by) })
    }

    /// A flag of which nothing was said so far. Once all profiles were seen that
    /// is an agreement, too: off on both sides.
    fn never_touched(
        &self,
        contact: RecordId,
        flag: &FieldName,
        told_by: &str,
    ) -> Result<FlagRow, StoreError> {
        let row = FlagRow::unknown(contact, flag, told_by);
        let seen_all = self.consent_cursor("listing")?.as_deref() == Some(ALL_SEEN);
        let agreement = Agreement { campaign: row.campaign, dynamics: false, own_campaign: None };
        Ok(FlagRow { agreement: seen_all.then_some(agreement), ..row })
    }

    /// Campaign holds this. Of two hints with stamps the younger stands,
    /// whatever order they come in; where they differ Campaign is asked.
    pub(crate) fn hint_campaign(
        &mut self,
        contact: RecordId,
        flag: &FieldName,
        side: CampaignSide,
        told_by: &str,
    ) -> Result<Hinted, StoreError> {
        let Some(known) = self.flag(contact, flag)? else {
            if !side.opted_out && side.stamp.is_none() {
                return Ok(Hinted::Same);
            }
            let fresh = self.never_touched(contact, flag, told_by)?;
            return self.weigh(FlagRow { campaign: side, ..fresh });
        };
        if known.campaign == side {
            return self.seen_again(known, told_by);
        }
        if side.stamp < known.campaign.stamp {
            if side.opted_out == known.campaign.opted_out {
                return Ok(Hinted::Stale);
            }
            // An old row, or a clock that was set back: Campaign is to be asked.
            let known = known.told(told_by);
            self.set_flag(&due(known))?;
            return Ok(Hinted::Due);
        }
        // That Dynamics says so, too, was read before this was said.
        let is_news = side.opted_out && !known.campaign.opted_out && known.dynamics;
        let seen = FlagRow { campaign: side, ..known.told(told_by) };
        if is_news && seen.state == FlagState::Settled {
            self.set_flag(&due(seen))?;
            return Ok(Hinted::Due);
        }
        self.weigh(seen)
    }

    /// Forgets what both sides agreed on; what is open is looked at anew, what a
    /// person was asked about is asked again.
    pub(crate) fn forget_agreements(&mut self) -> Result<(), StoreError> {
        let mut after: Option<(RecordId, FieldName)> = None;
        loop {
            let rows = self.flags_after(after.as_ref().map(|(id, flag)| (*id, flag)), ROUND)?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = Some((last.contact, last.flag.clone()));
            for row in rows {
                let open = row.state != FlagState::Settled;
                let state = if open { FlagState::Due } else { FlagState::Settled };
                self.set_flag(&FlagRow { agreement: None, state, ..row })?;
            }
        }
    }

    /// Nothing is open about a contact any more: one of its sides is not there,
    /// or it was given up.
    pub(crate) fn settle_contact_as_it_is(&mut self, contact: RecordId) -> Result<(), StoreError> {
        for row in self.flags_of(contact)? {
            if row.state != FlagState::Settled {
                self.set_flag(&FlagRow { state: FlagState::Settled, ..row })?;
            }
        }
        Ok(())
    }

    /// Nothing is open about one flag of a contact any more.
    pub(crate) fn settle_as_it_is(
        &mut self,
        contact: RecordId,
        flag: &FieldName,
    ) -> Result<(), StoreError> {
        match self.flag(contact, flag)? {
            Some(row) => self.set_flag(&FlagRow { state: FlagState::Settled, ..row }),
            None => Ok(()),
        }
    }

    /// A contact has no profile: nothing is open any more about these flags of it.
    /// What both had said was agreed on.
    pub(crate) fn settle_without_profile<'r>(
        &mut self,
        rows: impl Iterator<Item = &'r FlagRow>,
    ) -> Result<(), StoreError> {
        for row in rows.filter(|row| row.state != FlagState::Settled) {
            let after = FlagRow { state: FlagState::Settled, ..row.clone().with_both() };
            self.set_flag_after(row, &after)?;
        }
        Ok(())
    }

    /// What became of a flag that was `before`. If it was changed meanwhile, by the
    /// other flow or for what another contact said, that stays, to be looked at, with
    /// what both agreed on: a write of ours is to be known again.
    pub(crate) fn set_flag_after(
        &mut self,
        before: &FlagRow,
        after: &FlagRow,
    ) -> Result<(), StoreError> {
        match self.flag(before.contact, &before.flag)? {
            Some(now) if now != *before => {
                self.set_flag(&due(FlagRow { agreement: after.agreement, ..now }))
            }
            Some(_) => self.set_flag(after),
            // Forgotten.
            None => Ok(()),
        }
    }

    /// Does something that may open the contact that stands for this one: how many
    /// more contacts are open, of those two.
    pub(crate) fn opens(
        &mut self,
        contact: RecordId,
        change: impl FnOnce(&mut Self) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let contact = self.survivor_of(contact)?.unwrap_or(contact);
        let was_open = self.contact_open(contact)?;
        change(self)?;
        Ok(u64::from(!was_open && self.contact_open(contact)?))
    }

    /// A contact could be settled. If it was given up before, its dead letter goes,
    /// and what was given up of its other flags is looked at again.
    pub(crate) fn contact_could_be_settled(
        &mut self,
        table: &TableName,
        contact: RecordId,
    ) -> Result<(), StoreError> {
        self.supersede_dead_letter(Flow::Optout, table, contact)?;
        for row in self.flags_of(contact)? {
            if row.state == FlagState::Settled && row.is_undecided() {
                self.set_flag(&due(row))?;
            }
        }
        Ok(())
    }

    /// Looks at all flags of a contact again. False if there are none.
    pub(crate) fn contact_due(&mut self, contact: RecordId) -> Result<bool, StoreError> {
        let rows = self.flags_of(contact)?;
        for row in &rows {
            self.set_flag(&FlagRow { state: FlagState::Due, attempts: 0, ..row.clone() })?;
        }
        Ok(!rows.is_empty())
    }

    /// Dead letters of a flow whose record the system refused to have written,
    /// oldest first, of those made before.
    pub(crate) fn refused_letters(
        &self,
        flow: Flow,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<i64>, StoreError> {
        let mut statement = self.sql.prepare_cached(
            "SELECT id FROM dead_letter WHERE flow = ?1 AND status = 403 AND created_us < ?2
             ORDER BY id LIMIT ?3",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement
            .query_map((flow.as_str(), before.as_microsecond(), limit), |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// `loser`, who said no, was merged into `contact`. That counts once, and
    /// again only if the loser's flag in Dynamics is set anew. False if it has
    /// counted. A new no is to reach the loser's own profile, too, as long as that
    /// is there: it may have the same address.
    pub(crate) fn merge_flag(
        &mut self,
        loser: RecordId,
        contact: RecordId,
        flag: &FieldName,
        set: bool,
    ) -> Result<bool, StoreError> {
        let gone = self.flag(loser, flag)?;
        let anew = set && gone.as_ref().is_some_and(|row| !row.dynamics);
        match gone {
            Some(row) if row.dynamics != set => {
                let row = FlagRow { dynamics: set, ..row };
                self.set_flag(&if set && !row.campaign.opted_out { due(row) } else { row })?;
            }
            None if set => {
                let row = FlagRow::unknown(loser, flag, "dynamics");
                self.set_flag(&due(FlagRow { dynamics: true, ..row }))?;
            }
            Some(_) | None => {}
        }
        self.count_merged(loser, contact, flag, anew)
    }

    /// The no of `loser` is to count for `contact`. Once, unless it was said
    /// `anew`. False if it has counted.
    pub(crate) fn count_merged(
        &mut self,
        loser: RecordId,
        contact: RecordId,
        flag: &FieldName,
        anew: bool,
    ) -> Result<bool, StoreError> {
        let told_by = format!("merge of {loser}");
        if !anew && self.has_decision(contact, flag, &told_by)? {
            return Ok(false);
        }
        self.take_over(contact, flag, told_by)?;
        Ok(true)
    }

    /// The ledger may lack what was written: of an opt-out in Dynamics that is settled,
    /// Campaign is asked whether it has it. What was given up waits for a person.
    pub(crate) fn doubt_flag(
        &mut self,
        contact: RecordId,
        flag: &FieldName,
    ) -> Result<Hinted, StoreError> {
        let Some(known) = self.flag(contact, flag)? else { return Ok(Hinted::Same) };
        if !known.dynamics || known.state != FlagState::Settled || self.is_given_up(contact)? {
            return Ok(as_it_was(&known));
        }
        self.set_flag(&due(known))?;
        Ok(Hinted::Due)
    }

    fn is_given_up(&self, contact: RecordId) -> Result<bool, StoreError> {
        let letters = self.dead_letters_of(contact)?;
        Ok(letters.iter().any(|letter| letter.flow == Flow::Optout))
    }

    /// Campaign holds what it held. A difference that was never settled, because
    /// there was no profile, can be now; one that was given up waits for a
    /// person.
    fn seen_again(&mut self, known: FlagRow, told_by: &str) -> Result<Hinted, StoreError> {
        if known.state != FlagState::Settled || !known.is_undecided() {
            return Ok(as_it_was(&known));
        }
        if self.is_given_up(known.contact)? {
            return Ok(Hinted::Same);
        }
        let told_by = told_by.to_owned();
        self.set_flag(&FlagRow { state: FlagState::Due, attempts: 0, told_by, ..known })?;
        Ok(Hinted::Due)
    }

    /// Both sides as they now seem: the same is an agreement, unless the flag
    /// is being looked at anyway. An opt-out that waits to be lifted, and on
    /// which both agree now, is looked at before its wave is counted again.
    fn weigh(&mut self, seen: FlagRow) -> Result<Hinted, StoreError> {
        if seen.dynamics != seen.campaign.opted_out {
            self.set_flag(&FlagRow { state: FlagState::Due, attempts: 0, ..seen })?;
            return Ok(Hinted::Due);
        }
        if seen.state != FlagState::Settled {
            let waits = matches!(seen.state, FlagState::Held | FlagState::Clearing);
            let state = if waits { FlagState::Due } else { seen.state };
            self.set_flag(&FlagRow { state, ..seen })?;
            return Ok(Hinted::Due);
        }
        let own_campaign = seen.agreement.and_then(|agreement| agreement.own_campaign);
        let agreement =
            Agreement { campaign: seen.campaign, dynamics: seen.dynamics, own_campaign };
        self.set_flag(&FlagRow { agreement: Some(agreement), ..seen })?;
        Ok(Hinted::Same)
    }
}

fn as_it_was(known: &FlagRow) -> Hinted {
    if known.state == FlagState::Settled { Hinted::Same } else { Hinted::Due }
}
