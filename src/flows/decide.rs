//! What becomes of one change: pure, and tested as a table.

use crate::store::{Action, Mirror, MirrorState, Payload, Pending};

/// What came in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Incoming<'a> {
    /// A record that belongs in Campaign.
    Record(&'a Payload),
    /// A record that the filter leaves out.
    FilteredOut,
    /// A record that Dynamics no longer has.
    Deleted,
    /// A record that cannot be mapped.
    Failed,
}

/// What the store knows of the record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    /// What Campaign was last told, or showed in its listing.
    pub(crate) mirror: Option<&'a Mirror>,
    /// What waits to be told.
    pub(crate) pending: Option<Pending>,
    /// Whether Campaign may hold the record although nobody was told so.
    pub(crate) doubt: bool,
}

/// What the mapping says of deletions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deletions {
    /// `apply_deletes`
    pub(crate) apply: bool,
    /// `delete_filtered_out`
    pub(crate) filtered_out: bool,
}

/// The decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Campaign is to be told.
    Write,
    /// Campaign is to delete the record.
    Delete,
    /// Nothing to tell; a decision that nobody works on is withdrawn.
    Unchanged,
    /// Nothing is told, by configuration; a decision that nobody works on is
    /// withdrawn.
    LeaveOut,
    /// As `LeaveOut`, and the source no longer has the record.
    Forget,
    /// It goes to the dead letters; a decision that nobody works on is
    /// withdrawn.
    GiveUp,
}

/// Decides one change.
pub(crate) fn decide(incoming: Incoming<'_>, known: Known<'_>, deletions: Deletions) -> Decision {
    let touched = known.doubt || known.pending.is_some_and(|pending| pending.touched);
    let campaign_has_it = known.mirror.is_some() || touched;
    match incoming {
        Incoming::Failed => Decision::GiveUp,
        // What is in flight will change Campaign after this decision, so the
        // comparison with the mirror proves nothing.
        Incoming::Record(_) if touched => Decision::Write,
        Incoming::Record(payload) => match known.mirror {
            Some(mirror) if payload.changed(&mirror.fields).next().is_none() => Decision::Unchanged,
            Some(_) | None => Decision::Write,
        },
        Incoming::FilteredOut if deletions.filtered_out && campaign_has_it => Decision::Delete,
        Incoming::FilteredOut => Decision::LeaveOut,
        Incoming::Deleted => match known.mirror.map(|mirror| mirror.state) {
            Some(MirrorState::Gone) if !touched && !waits_to_delete(known) => Decision::LeaveOut,
            _ if !campaign_has_it => Decision::Unchanged,
            _ if deletions.apply => Decision::Delete,
            _ => Decision::Forget,
        },
    }
}

fn waits_to_delete(known: Known<'_>) -> bool {
    known.pending.is_some_and(|pending| pending.action == Action::Delete)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::value::RawValue;

    use super::*;
    use crate::store::PayloadField;

    fn field(name: &str, print: u8, updates: bool) -> PayloadField {
        PayloadField {
            name: name.into(),
            json: RawValue::NULL.to_owned(),
            fingerprint: [print; 8],
            updates,
        }
    }

    fn payload(initial: bool, fields: Vec<PayloadField>) -> Payload {
        Payload { key: "k".into(), initial, fields, links: Vec::new(), opt_outs: Vec::new() }
    }

    fn mirror(state: MirrorState, fields: &[(&str, u8)]) -> Mirror {
        Mirror {
            key: None,
            state,
            fields: fields.iter().map(|(name, print)| ((*name).into(), [*print; 8])).collect(),
            version: None,
            seen: 0,
        }
    }

    fn pending(action: Action, touched: bool) -> Pending {
        Pending { id: 1, action, leased: false, in_flight: false, touched }
    }

    #[test]
    fn every_change_is_decided_by_what_came_and_what_is_known() {
        use Decision::{Delete, Forget, GiveUp, LeaveOut, Unchanged, Write};
        let same = payload(false, vec![field("a", 1, true)]);
        let changed = payload(false, vec![field("a", 2, true)]);
        let present = mirror(MirrorState::Present, &[("a", 1)]);
        let gone = mirror(MirrorState::Gone, &[("a", 1)]);
        let waiting = Some(pending(Action::Write, false));
        let touched = Some(pending(Action::Write, true));
        let held = Some(pending(Action::Delete, false));
        // incoming, mirror, pending, (apply, filtered_out) → decision
        let table = [
            (Incoming::Record(&same), None, None, (false, false), Write),
            (Incoming::Record(&same), Some(&present), None, (false, false), Unchanged),
            (Incoming::Record(&same), Some(&present), waiting, (false, false), Unchanged),
            (Incoming::Record(&same), Some(&present), touched, (false, false), Write),
            (Incoming::Record(&same), Some(&present), held, (true, false), Unchanged),
            (Incoming::Record(&same), Some(&gone), None, (false, false), Unchanged),
            (Incoming::Record(&changed), Some(&present), None, (false, false), Write),
            (Incoming::Record(&changed), Some(&gone), None, (false, false), Write),
            (Incoming::FilteredOut, None, None, (true, true), LeaveOut),
            (Incoming::FilteredOut, None, waiting, (true, true), LeaveOut),
            (Incoming::FilteredOut, None, touched, (true, true), Delete),
            (Incoming::FilteredOut, Some(&present), None, (true, false), LeaveOut),
            (Incoming::FilteredOut, Some(&present), None, (false, true), Delete),
            (Incoming::Deleted, None, None, (true, true), Unchanged),
            (Incoming::Deleted, None, waiting, (true, true), Unchanged),
            (Incoming::Deleted, None, touched, (true, true), Delete),
            (Incoming::Deleted, None, touched, (false, true), Forget),
            (Incoming::Deleted, Some(&present), None, (true, false), Delete),
            (Incoming::Deleted, Some(&present), held, (true, false), Delete),
            (Incoming::Deleted, Some(&present), None, (false, true), Forget),
            (Incoming::Deleted, Some(&gone), None, (true, true), LeaveOut),
            (Incoming::Failed, Some(&present), waiting, (true, true), GiveUp),
        ];
        for (row, (incoming, mirror, pending, (apply, filtered_out), expected)) in
            table.into_iter().enumerate()
        {
            let known = Known { mirror, pending, doubt: false };
            let decision = decide(incoming, known, Deletions { apply, filtered_out });
            assert_eq!(decision, expected, "row {row}");
        }
    }

    #[test]
    fn a_deletion_that_was_told_is_told_again_while_a_write_may_have_followed_it() {
        let gone = mirror(MirrorState::Gone, &[]);
        let decided = |pending| {
            let known = Known { mirror: Some(&gone), pending, doubt: false };
            decide(Incoming::Deleted, known, Deletions { apply: true, filtered_out: true })
        };
        assert_eq!(decided(Some(pending(Action::Write, true))), Decision::Delete);
        assert_eq!(decided(Some(pending(Action::Delete, true))), Decision::Delete);
        assert_eq!(decided(Some(pending(Action::Delete, false))), Decision::Delete);
        assert_eq!(decided(Some(pending(Action::Write, false))), Decision::LeaveOut);
    }

    #[test]
    fn a_record_that_campaign_may_hold_in_secret_is_looked_for() {
        let payload = payload(false, vec![field("a", 1, true)]);
        let known = Known { mirror: None, pending: None, doubt: true };
        let deletions = Deletions { apply: true, filtered_out: true };
        assert_eq!(decide(Incoming::Record(&payload), known, deletions), Decision::Write);
        assert_eq!(decide(Incoming::Deleted, known, deletions), Decision::Delete);
        assert_eq!(decide(Incoming::FilteredOut, known, deletions), Decision::Delete);
    }

    #[test]
    fn a_field_without_updates_is_written_once_and_on_replay() {
        let told = mirror(MirrorState::Present, &[("since", 1)]).fields;
        let later = |initial| payload(initial, vec![field("since", 2, false)]);
        assert_eq!(later(false).changed(&told).count(), 0);
        assert_eq!(later(true).changed(&told).count(), 1);
        assert_eq!(later(false).changed(&BTreeMap::new()).count(), 1, "never told");
    }
}
