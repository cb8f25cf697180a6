//! Rows that are older than what was carried. `versionnumber` only ever rises
//! (Dynamics sheet 9.2): a lower one shows that the environment was put back from
//! a copy, and what Campaign holds may be newer than what Dynamics says.

use crate::model::TableName;
use crate::store::{StoreError, Work};

use super::prepare::Prepared;

/// Why a page must not be taken: it shows a record at an older version than the
/// one that Campaign was told.
pub(super) fn older(
    work: &mut Work<'_>,
    table: &TableName,
    page: &[Prepared],
) -> Result<Option<String>, StoreError> {
    for prepared in page {
        let Some(version) = prepared.version else { continue };
        let Some(told) = work.told_version(table, prepared.id)? else { continue };
        if version < told {
            work.set_went_back(table)?;
            let (id, shown, told) = (prepared.id, version.0, told.0);
            return Ok(Some(format!(
                "Dynamics shows {id} at version {shown}, and Campaign was told version {told}: this environment was put back from a copy; nothing of it is written. `cdsync resync --verify --table {table}` shows what differs, `cdsync resync --table {table}` carries what Dynamics holds now"
            )));
        }
    }
    Ok(None)
}
