//! The opt-out ledger.

use jiff::{SignedDuration, Timestamp};

use super::{Place, record};
use crate::model::consent::{
    Agreement, CampaignSide, DynamicsSide, OwnWrite, Reason, SAMPLES, Sample, Skew, Witness,
};
use crate::model::{FieldName, RowVersion};
use crate::store::consent::{
    ClockOf, FlagRow, FlagState, Hinted, NewConsentDecision, Noted, Outcome, StoredSample,
};
use crate::store::{StoreError, Work};

fn email() -> FieldName {
    FieldName::new("blackListEmail").unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn side(opted_out: bool, second: i64) -> CampaignSide {
    CampaignSide { opted_out, stamp: Some(at(second)) }
}

fn state(work: &Work<'_>) -> FlagState {
    work.flag(record(1), &email()).unwrap().unwrap().state
}

/// An opt-out that is about to be lifted.
pub(super) fn lifting() -> NewConsentDecision {
    NewConsentDecision {
        contact: record(1),
        flag: email(),
        dynamics: DynamicsSide {
            opted_out: true,
            modified: Some(at(1)),
            version: Some(RowVersion(4)),
        },
        campaign: side(false, 60),
        result: false,
        reason: Reason::CampaignNewer,
        lead: Some(SignedDuration::from_secs(58)),
        skew: Skew::Measured {
            offset: SignedDuration::from_millis(-1500),
            spread: std::time::Duration::from_millis(20),
        },
        documented: None,
        told_by: "rest".into(),
        request_ids: vec!["a".into(), "b".into()],
        outcome: Outcome::Intended,
    }
}

fn sample(of: ClockOf, second: i64) -> StoredSample {
    let (stamp, witness) = (at(second), Witness::Seconds);
    StoredSample { of, own: true, sample: Sample { stamp, sent: stamp, received: stamp, witness } }
}

/// Something in each table of the ledger.
pub(super) fn fill(work: &mut Work<'_>) -> Result<(), StoreError> {
    work.hint_dynamics(record(1), &email(), true, "dynamics")?;
    work.set_own_write(record(1), &OwnWrite { version: RowVersion(9), user_time: None })?;
    work.add_decision(&lifting())?;
    work.set_consent_cursor("epoch", "1")?;
    let print = work.address_print("a@x.example");
    work.note_address(record(1), print, 1)?;
    work.note_merge(record(5), record(6))?;
    work.add_clock_sample(&sample(ClockOf::Dynamics, 1))
}

/// Runs `test` in a transaction of a new store.
async fn within(test: impl FnOnce(&mut Work<'_>) -> Result<(), StoreError> + Send + 'static) {
    let place = Place::new();
    let store = place.open().await;
    store.call(test).await.unwrap();
}

#[tokio::test]
async fn a_flag_that_nobody_ever_touched_takes_no_room() {
    within(|work| {
        let never = CampaignSide { opted_out: false, stamp: None };
        assert_eq!(work.hint_campaign(record(1), &email(), never, "listing")?, Hinted::Same);
        assert_eq!(work.hint_dynamics(record(1), &email(), false, "dynamics")?, Hinted::Same);
        assert_eq!(work.flags_of(record(1))?, []);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn hints_that_differ_make_a_flag_due_and_hints_that_agree_make_an_agreement() {
    within(|work| {
        let flag = email();
        assert_eq!(work.hint_dynamics(record(1), &flag, true, "dynamics")?, Hinted::Due);
        assert_eq!(work.contacts_with(FlagState::Due, None, 9)?, [record(1)]);
        assert_eq!(
            work.hint_campaign(record(1), &flag, side(true, 5), "listing")?,
            Hinted::Due,
            "it is looked at, now that it was due"
        );
        let known = work.flag(record(1), &flag)?.unwrap();
        assert_eq!(known.agreement, None, "hints alone do not end what is due");
        work.set_flag(&FlagRow { state: FlagState::Settled, ..known })?;
        assert_eq!(work.hint_campaign(record(1), &flag, side(true, 6), "rest")?, Hinted::Same);
        let known = work.flag(record(1), &flag)?.unwrap();
        let agreement = Agreement { campaign: side(true, 6), dynamics: true, own_campaign: None };
        assert_eq!(known.agreement, Some(agreement));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn of_two_hints_the_one_with_the_younger_stamp_stands() {
    within(|work| {
        let flag = email();
        work.hint_campaign(record(1), &flag, side(true, 9), "file 2")?;
        let stale = work.hint_campaign(record(1), &flag, side(true, 5), "file 1")?;
        assert_eq!(stale, Hinted::Stale);
        let known = work.flag(record(1), &flag)?.unwrap();
        assert_eq!((known.campaign, known.told_by.as_str()), (side(true, 9), "file 2"));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_older_hint_of_another_value_is_looked_into() {
    within(|work| {
        let flag = email();
        work.hint_campaign(record(1), &flag, side(false, 9), "rest")?;
        assert_eq!(state(work), FlagState::Settled);
        assert_eq!(work.hint_campaign(record(1), &flag, side(true, 5), "file 1")?, Hinted::Due);
        assert_eq!(state(work), FlagState::Due);
        let known = work.flag(record(1), &flag)?.unwrap();
        assert_eq!(known.campaign, side(false, 9), "the younger stands");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_difference_that_was_never_settled_is_looked_into_when_the_profile_is_there() {
    within(|work| {
        let (flag, off) = (email(), CampaignSide { opted_out: false, stamp: None });
        work.hint_dynamics(record(1), &flag, true, "dynamics")?;
        work.settle_contact_as_it_is(record(1))?;
        assert_eq!(work.hint_dynamics(record(1), &flag, true, "dynamics")?, Hinted::Same);
        assert_eq!(work.hint_campaign(record(1), &flag, off, "rest")?, Hinted::Due);
        let known = work.flag(record(1), &flag)?.unwrap();
        let agreement = Agreement { campaign: off, dynamics: true, own_campaign: None };
        work.set_flag(&FlagRow { state: FlagState::Settled, agreement: Some(agreement), ..known })?;
        let again = work.hint_campaign(record(1), &flag, off, "rest")?;
        assert_eq!(again, Hinted::Same, "a difference that the direction leaves");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_opt_out_without_a_stamp_is_never_taken_for_an_old_one() {
    within(|work| {
        let flag = email();
        work.hint_campaign(record(1), &flag, side(false, 9), "listing")?;
        assert_eq!(state(work), FlagState::Settled);
        let hint = CampaignSide { opted_out: true, stamp: None };
        assert_eq!(work.hint_campaign(record(1), &flag, hint, "file")?, Hinted::Due);
        assert_eq!(state(work), FlagState::Due);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_is_known_of_a_flag_comes_back_as_it_was_stored() {
    within(|work| {
        let row = FlagRow {
            contact: record(1),
            flag: email(),
            dynamics: true,
            campaign: side(false, 7),
            told_by: "optout_1.csv:17".into(),
            agreement: Some(Agreement {
                campaign: CampaignSide { opted_out: true, stamp: None },
                dynamics: true,
                own_campaign: Some(side(true, 3)),
            }),
            merged: true,
            state: FlagState::Clearing,
            attempts: 3,
            updated: Timestamp::UNIX_EPOCH,
        };
        work.set_flag(&row)?;
        let found = work.flag(record(1), &email())?.unwrap();
        assert_eq!(FlagRow { updated: Timestamp::UNIX_EPOCH, ..found }, row);
        let own = OwnWrite { version: RowVersion(9), user_time: None };
        work.set_own_write(record(1), &own)?;
        assert_eq!(work.own_write(record(1))?, Some(own));
        assert_eq!(work.own_write(record(2))?, None);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_held_wave_moves_as_one_and_only_as_it_is() {
    within(|work| {
        for number in 0..200 {
            work.hint_dynamics(record(number), &email(), true, "dynamics")?;
        }
        assert_eq!(work.move_flags(FlagState::Due, FlagState::Clearing)?, 200);
        assert_eq!(work.move_flags(FlagState::Clearing, FlagState::Held)?, 200);
        work.hint_dynamics(record(250), &email(), true, "dynamics")?;
        assert_eq!(work.move_flags(FlagState::Held, FlagState::Approved)?, 200);
        assert_eq!(work.flag_count(FlagState::Approved)?, 200);
        assert_eq!(work.flag_count(FlagState::Due)?, 1);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_decision_keeps_all_its_evidence() {
    within(|work| {
        let new = lifting();
        let id = work.add_decision(&new)?;
        assert!(work.has_intended(record(1))?);
        work.end_decision(id, Outcome::Done, &["c".to_owned()])?;
        assert!(!work.has_intended(record(1))?);
        let [found] = &work.decisions_of(record(1), Some(&email()), 9)?[..] else { panic!("one") };
        let done =
            NewConsentDecision { outcome: Outcome::Done, request_ids: vec!["c".into()], ..new };
        assert_eq!(format!("{:?}", found.what), format!("{done:?}"));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn only_the_newest_samples_of_a_clock_are_kept() {
    within(|work| {
        for second in 0..30 {
            for of in [ClockOf::Dynamics, ClockOf::Campaign] {
                work.add_clock_sample(&sample(of, second))?;
            }
        }
        let samples = work.clock_samples(ClockOf::Dynamics, true)?;
        assert_eq!(samples.len(), SAMPLES);
        assert_eq!(samples.last().map(|sample| sample.stamp), Some(at(29)));
        assert_eq!(work.clock_samples(ClockOf::Dynamics, false)?.len(), 0);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_deleted_contact_is_known_by_its_address_while_it_is_kept() {
    within(|work| {
        let print = work.address_print(" Ann@X.example").unwrap();
        assert_eq!(work.address_print("ann@x.EXAMPLE "), Some(print));
        assert_eq!(work.address_print("  "), None);
        for number in 1..=3 {
            assert_eq!(work.note_address(record(number), Some(print), 7)?, Noted::New);
            assert_eq!(work.note_address(record(number), Some(print), 7)?, Noted::Known);
        }
        work.hint_dynamics(record(1), &email(), true, "dynamics")?;
        work.contact_gone(record(1))?;
        work.contact_gone(record(2))?;
        assert_eq!(work.former_contacts(print)?, [record(1)], "only who had said no");
        work.expire_addresses(at(0))?;
        assert_eq!(work.former_contacts(print)?, [record(1)], "not yet");
        assert_eq!(work.note_address(record(1), Some(print), 7)?, Noted::Again);
        assert_eq!(work.note_address(record(1), Some(print), 7)?, Noted::Known);
        assert!(work.former_contacts(print)?.is_empty());
        work.contact_gone(record(1))?;
        work.expire_addresses(at(1_000_000_000))?;
        assert!(work.former_contacts(print)?.is_empty());
        // A read that does not see the third one.
        work.hint_dynamics(record(3), &email(), true, "dynamics")?;
        work.note_address(record(4), Some(print), 8)?;
        work.sweep_addresses(8)?;
        assert_eq!(work.former_contacts(print)?, [record(3)]);
        work.forget_addresses()?;
        assert!(work.former_contacts(print)?.is_empty());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_no_is_taken_over_once_and_what_is_told_meanwhile_does_not_hide_whose_it_was() {
    within(|work| {
        let here = DynamicsSide { opted_out: false, modified: None, version: None };
        let heir = (record(2), here);
        assert!(work.inherit_flag(heir, record(1), &email(), true)?);
        assert!(!work.inherit_flag(heir, record(1), &email(), true)?, "it waits");
        work.hint_dynamics(record(2), &email(), true, "dynamics")?;
        work.hint_campaign(record(2), &email(), side(true, 5), "rest")?;
        let row = work.flag(record(2), &email())?.unwrap();
        assert_eq!((row.taken_over(), row.state), (Some(Reason::Recreated), FlagState::Due));
        assert_eq!(row.told_by, format!("address of {}", record(1)));
        assert!(work.merge_flag(record(5), record(6), &email(), true)?);
        assert_eq!(work.flag(record(6), &email())?.unwrap().taken_over(), Some(Reason::Merged));
        // Without taking over the ledger keeps that it was seen.
        let other = (record(3), here);
        assert!(work.inherit_flag(other, record(1), &email(), false)?);
        assert!(!work.inherit_flag(other, record(1), &email(), false)?);
        assert_eq!(work.decisions_of(record(3), None, 9)?.len(), 1);
        assert!(work.flag(record(3), &email())?.is_none());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_last_of_merged_contacts_stands_for_all_of_them_and_a_circle_ends() {
    within(|work| {
        assert_eq!(work.survivor_of(record(1))?, None);
        work.note_merge(record(1), record(2))?;
        work.note_merge(record(2), record(3))?;
        assert_eq!(work.survivor_of(record(1))?, Some(record(3)));
        work.forget_merge(record(2))?;
        assert_eq!(work.survivor_of(record(1))?, Some(record(2)));
        work.note_merge(record(2), record(1))?;
        work.survivor_of(record(1))?;
        work.note_merge(record(4), record(4))?;
        assert_eq!(work.survivor_of(record(4))?, None);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_no_of_campaign_is_looked_at_where_dynamics_had_said_so_before() {
    within(|work| {
        work.hint_dynamics(record(1), &email(), true, "dynamics")?;
        work.settle_as_it_is(record(1), &email())?;
        // Dynamics may have cleared it in the same moment.
        assert_eq!(work.hint_campaign(record(1), &email(), side(true, 9), "rest")?, Hinted::Due);
        assert_eq!(state(work), FlagState::Due);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_opt_out_of_which_something_was_said_since_is_not_lifted() {
    within(|work| {
        work.hint_dynamics(record(1), &email(), true, "dynamics")?;
        let before = work.flag(record(1), &email())?.unwrap();
        work.count_merged(record(5), record(1), &email(), true)?;
        let since = work.flag(record(1), &email())?.unwrap();
        assert!(!work.note_clearing(&before)?);
        assert_eq!(work.intend(&[(before, Some(lifting()))])?, None);
        assert_eq!(work.flag(record(1), &email())?.as_ref(), Some(&since), "as it was said");
        assert_eq!(work.decisions_of(record(1), None, 9)?.len(), 0);
        assert_eq!(work.intend(&[(since.clone(), None)])?, Some(vec![None]));
        assert!(work.note_clearing(&since)?);
        assert_eq!(state(work), FlagState::Clearing, "where nothing was said");
        let now = work.flag(record(1), &email())?.unwrap();
        assert!(work.intend(&[(now, Some(lifting()))])?.is_some_and(|it| it[0].is_some()));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_a_look_comes_to_does_not_hide_what_was_noted_during_it() {
    within(|work| {
        work.hint_dynamics(record(1), &email(), true, "dynamics")?;
        let before = work.flag(record(1), &email())?.unwrap();
        let own_campaign = Some(side(true, 5));
        let agreement = Agreement { campaign: side(true, 5), dynamics: true, own_campaign };
        let settled = FlagState::Settled;
        let after = FlagRow { agreement: Some(agreement), state: settled, ..before.clone() };
        work.count_merged(record(5), record(1), &email(), true)?;
        work.set_flag_after(&before, &after)?;
        let row = work.flag(record(1), &email())?.unwrap();
        assert_eq!((row.taken_over(), row.state), (Some(Reason::Merged), FlagState::Due));
        assert_eq!(row.agreement, Some(agreement), "a write of ours is known again");
        work.set_flag_after(&row, &after)?;
        assert_eq!(state(work), FlagState::Settled, "where nothing was noted");
        // Forgotten meanwhile: nothing comes back.
        work.set_flag_after(&FlagRow { contact: record(9), ..before }, &after)?;
        assert!(work.flag(record(9), &email())?.is_none());
        Ok(())
    })
    .await;
}
