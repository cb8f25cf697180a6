//! Contacts that come back under another id: their e-mail address tells, as a
//! keyed fingerprint.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{OptoutIntake, Told};
use crate::model::consent::{BoundPair, DynamicsSide, modified};
use crate::model::{ColumnName, Flow, RecordId, RowVersion, SourceRow, TableName, Value};
use crate::store::consent::Noted;
use crate::store::{StoreError, Work};
use crate::telemetry::OptoutRecreated;

/// What is kept of addresses.
#[derive(Clone, Debug)]
pub(crate) struct AddressBook {
    /// The contact's column; none: nothing is kept.
    pub(crate) column: Option<ColumnName>,
    /// Whether the no of a deleted contact counts for a new one with its
    /// address. Otherwise somebody is told.
    pub(crate) opt_out: bool,
    /// For how long after the deletion.
    pub(crate) keep: Duration,
}

/// What a row tells beside the flags.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// The address, empty where the contact has none; none: the row does not
    /// tell, or nobody asked.
    pub(super) address: Option<String>,
    modified: Option<Timestamp>,
    version: Option<RowVersion>,
}

impl AddressBook {
    /// What a row tells.
    pub(super) fn seen(&self, row: &SourceRow) -> Seen {
        let address = self.column.as_ref().and_then(|column| match row.columns.get(column)? {
            Value::Text(address) => Some(address.clone()),
            Value::Null => Some(String::new()),
            Value::Bool(_)
            | Value::Integer(_)
            | Value::Decimal(_)
            | Value::Double(_)
            | Value::Choice(_)
            | Value::MultiChoice(_)
            | Value::Instant(_)
            | Value::Civil(_)
            | Value::Date(_)
            | Value::Guid(_)
            | Value::Unreadable(_) => None,
        });
        Seen { address, modified: modified(row), version: row.version }
    }
}

/// Where a page of contacts stands in the reading of addresses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// The full read that it belongs to; 0 within a delta.
    pub(super) number: i64,
    /// Whether it is the last page of a full read.
    pub(super) last: bool,
}

/// Notes a contact's address, and what a deleted contact with that had said no
/// to; none where there is nothing new about it. Before the contact's flags are
/// noted: what was said under the same id would be overwritten.
pub(super) fn look_up(
    work: &mut Work<'_>,
    (book, table, pairs): (&AddressBook, &TableName, &[BoundPair]),
    (contact, values, seen): (RecordId, &[Option<bool>], &Seen),
    reading: i64,
) -> Result<Vec<OptoutRecreated>, StoreError> {
    let mut told = Vec::new();
    let Some(address) = &seen.address else { return Ok(told) };
    let print = work.address_print(address);
    let noted = work.note_address(contact, print, reading)?;
    let (Some(print), false) = (print, noted == Noted::Known) else { return Ok(told) };
    let itself = (noted == Noted::Again).then_some(contact);
    for former in itself.into_iter().chain(work.former_contacts(print)?) {
        let said_no = work.said_no(former)?;
        let mut flags = Vec::new();
        for (pair, value) in pairs.iter().zip(values) {
            let flag = &pair.pair.flag;
            if *value == Some(true) || !said_no.contains(flag) {
                continue;
            }
            let dynamics =
                DynamicsSide { opted_out: false, modified: seen.modified, version: seen.version };
            if work.inherit_flag((contact, dynamics), former, flag, book.opt_out)? {
                flags.push(flag.to_string());
            }
        }
        if !flags.is_empty() {
            told.push(OptoutRecreated {
                flow: Flow::Optout,
                table: table.clone(),
                id: contact,
                former,
                flags: flags.join(" "),
                opted_out: book.opt_out,
            });
        }
    }
    Ok(told)
}

impl OptoutIntake {
    /// Forgets the addresses that have been kept for long enough; all of them
    /// where none are wanted. With another column all contacts are read again.
    pub(super) async fn begin_addresses(&self) -> Result<(), StoreError> {
        let book = self.source.addresses.clone();
        let before = SignedDuration::try_from(book.keep)
            .ok()
            .and_then(|keep| self.clock.now().checked_sub(keep).ok());
        self.store
            .call(move |work| {
                let column = book.column.map_or_else(String::new, |column| column.to_string());
                let known = work.consent_cursor("address")?;
                if known.as_ref() == Some(&column) {
                    return before.map_or(Ok(()), |before| work.expire_addresses(before));
                }
                work.forget_addresses()?;
                if !column.is_empty() {
                    work.clear_consent_cursor("dynamics")?;
                }
                work.set_consent_cursor("address", &column)
            })
            .await
    }
}

/// Deletions first: a contact that was replaced within a page is then known to
/// be gone.
pub(super) fn deletions_first(told: &mut [Told]) {
    told.sort_by_key(|told| !matches!(told, Told::Gone { .. }));
}
