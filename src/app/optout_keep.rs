//! What a pass of the opt-out flow looks after beside the flags: addresses
//! that contacts share, contacts that Dynamics refused, clocks that are wrong, and the
//! guard of what would be lifted.

use std::time::Duration;

use jiff::SignedDuration;

use crate::clock::Clock;
use crate::config::OptoutSettings;
use crate::flows::optout::AddressBook;
use crate::model::consent::{ClearingGuard, Skew};
use crate::model::{ColumnName, ColumnType, Flow, TableName, TableSchema, exceeded};
use crate::store::consent::FlagState;
use crate::store::{Store, StoreError};
use crate::telemetry::{
    OptoutClockSkew, OptoutClocksUnknown, OptoutsHeld, OptoutsReleased, OptoutsRetried,
    OptoutsShareAddress,
};

const FLOW: Flow = Flow::Optout;

/// The contact's usual address.
const ADDRESS: &str = "emailaddress1";

/// How long a refused contact rests.
const REST: SignedDuration = SignedDuration::from_hours(24);

/// Refused contacts that are tried again in one pass.
const MOST_AGAIN: usize = 500;

/// Clearings that pass in any case.
const ALWAYS: u64 = 50;

/// Clocks that are further apart than this are worth a word.
const FAR_APART: Duration = Duration::from_secs(30);

/// The column of the contacts' addresses, where they are wanted.
pub(super) fn address_column(settings: &OptoutSettings) -> Option<ColumnName> {
    let wanted = settings.recreated.is_some() && !settings.pairs.is_empty();
    let usual = || ColumnName::new(ADDRESS).ok();
    settings.address.clone().or_else(usual).filter(|_| wanted)
}

/// What is kept of addresses. Where the usual column cannot be read nothing is;
/// one that the configuration names must be readable.
pub(super) fn address_book(
    settings: &OptoutSettings,
    contact: &TableSchema,
) -> Result<AddressBook, String> {
    let column = address_column(settings).filter(|column| {
        contact.columns.get(column).is_some_and(|it| it.readable && is_text(&it.kind))
    });
    if column.is_none()
        && let Some(named) = &settings.address
        && address_column(settings).is_some()
    {
        return Err(format!(
            "`address` names {named}, which is no text column of {} that can be read; name \
             another, or write `recreated = \"off\"`",
            contact.name
        ));
    }
    Ok(AddressBook {
        column,
        opt_out: settings.recreated == Some(true),
        keep: settings.recreated_within,
    })
}

fn is_text(kind: &ColumnType) -> bool {
    matches!(kind, ColumnType::Text { .. })
}

/// Tells that the clocks are far apart.
pub(super) fn tell_skew(skew: Skew) {
    if let Skew::Measured { offset, spread } = skew
        && offset.unsigned_abs() > FAR_APART
    {
        OptoutClockSkew {
            flow: FLOW,
            offset_ms: i64::try_from(offset.as_millis()).unwrap_or(i64::MAX),
            spread_ms: u64::try_from(spread.as_millis()).unwrap_or(u64::MAX),
        }
        .emit();
    }
}

/// Tells that flags stay opted out because the clocks are not known.
pub(super) fn tell_unsure(flags: u64) {
    if flags > 0 {
        OptoutClocksUnknown { flow: FLOW, flags }.emit();
    }
}

/// Tells how many flags contacts with the same address differ on, when that has
/// changed.
pub(super) async fn tell_shared(store: &Store) -> Result<(), StoreError> {
    const NAME: &str = "same-address";
    let flags = store
        .call(|work| {
            let flags = work.shared_address_count()?;
            let text = flags.to_string();
            let known = work.consent_cursor(NAME)?.unwrap_or_else(|| "0".to_owned());
            if known == text {
                return Ok(None);
            }
            work.set_consent_cursor(NAME, &text)?;
            Ok(Some(flags))
        })
        .await?;
    if let Some(flags) = flags {
        OptoutsShareAddress { flow: FLOW, flags }.emit();
    }
    Ok(())
}

/// Takes up contacts again that Dynamics refused a day ago: privileges change,
/// and records are unlocked, without anybody telling.
pub(super) async fn take_up_refused(store: &Store, clock: &Clock) -> Result<(), StoreError> {
    let Ok(before) = clock.now().checked_sub(REST) else { return Ok(()) };
    let dead_letters = store
        .call(move |work| {
            let letters = work.refused_letters(FLOW, before, MOST_AGAIN)?;
            for letter in &letters {
                work.retry_dead_letter(*letter)?;
            }
            Ok(letters.len() as u64)
        })
        .await?;
    if dead_letters > 0 {
        OptoutsRetried { flow: FLOW, dead_letters }.emit();
    }
    Ok(())
}

/// More opt-outs than may be lifted unasked, if they are. Those that were
/// held before count with those of this pass.
pub(super) async fn guard(
    store: &Store,
    settings: &OptoutSettings,
) -> Result<Option<OptoutsHeld>, StoreError> {
    let guard = settings.guard;
    let (clearings, mapped, limit, approved) = store
        .call(move |work| {
            work.move_flags(FlagState::Held, FlagState::Clearing)?;
            let clearings = work.flag_count(FlagState::Clearing)?;
            let mapped = work.mapped_records(&TableName::contact())?;
            let limit = held_back(guard, clearings, mapped);
            if limit.is_some() {
                work.move_flags(FlagState::Clearing, FlagState::Held)?;
            }
            Ok((clearings, mapped, limit, work.flag_count(FlagState::Approved)?))
        })
        .await?;
    if approved > 0 {
        OptoutsReleased { flow: FLOW, clearings: approved }.emit();
    }
    let held = limit.map(|limit| OptoutsHeld { flow: FLOW, clearings, mapped, limit });
    if let Some(held) = &held {
        held.emit();
    }
    Ok(held)
}

/// Which limit so many clearings pass; up to a few pass in any case.
fn held_back(guard: ClearingGuard, clearings: u64, mapped: u64) -> Option<&'static str> {
    if clearings <= ALWAYS {
        return None;
    }
    exceeded(clearings, mapped, guard.rows, guard.percent, ALWAYS)
}
