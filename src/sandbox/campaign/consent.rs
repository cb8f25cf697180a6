//! Opt-out flags of profiles: their names, and flags set by people.
//!
//! Owns: what campaign sheet section 4 says of names and stamps.

use std::sync::Arc;

use jiff::Timestamp;

use super::control::{CampaignControl, matching, unknown};
use super::schema::{Field, FieldType};
use super::store::Db;
use crate::sandbox::ControlError;
use crate::sandbox::row::{Cell, Packed};
use crate::sandbox::variants::Variants;

/// The prefix in the API, and the one in the integration's pages.
const PREFIXES: [&str; 2] = ["blackList", "denyList"];

/// Whether writing a field moves the stamps of opt-outs.
pub(super) fn is_flag(name: &str) -> bool {
    name == "ccpaOptOut" || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The stamp that moves with every flag of this flag's kind.
pub(super) fn stamp_of_all(name: &str) -> Option<String> {
    let prefix = PREFIXES.iter().find(|prefix| name.starts_with(**prefix))?;
    Some(format!("{prefix}AllLastModified"))
}

impl Field {
    /// Whether it is an opt-out flag.
    pub(crate) fn is_opt_out(&self) -> bool {
        self.kind == FieldType::Boolean && is_flag(&self.name)
    }
}

impl Db {
    /// Names the flags as the variants say.
    pub(crate) fn adopt(&mut self, variants: Variants) {
        let [api, pages] = PREFIXES;
        let (from, to) = if variants.deny_list_names { (api, pages) } else { (pages, api) };
        if let Some(profiles) = self.named_mut("profile") {
            for field in &mut Arc::make_mut(&mut profiles.def).fields {
                if let Some(rest) = field.name.strip_prefix(from) {
                    field.name = format!("{to}{rest}");
                }
            }
        }
    }
}

impl CampaignControl {
    /// Sets a flag of the profiles with this external id as if it had happened
    /// at `stamp`; without one the flag has no stamp afterwards. The profile's
    /// `lastModified` is now. Returns how many profiles there were.
    pub fn set_flag_at(
        &self,
        external_id: &str,
        flag: &str,
        value: bool,
        stamp: Option<Timestamp>,
    ) -> Result<usize, ControlError> {
        let now = self.clock.now().as_millisecond();
        let mut db = self.db();
        let rows = matching(&db, "profile", "externalId", external_id);
        let data = db.named_mut("profile").ok_or_else(|| unknown("resource"))?;
        let def = Arc::clone(&data.def);
        let number = |name: &str| def.field(name).map(|field| field.number);
        let flag_number = number(flag).ok_or_else(|| unknown("flag"))?;
        for row in &rows {
            let mut fields = data.rows.get(row).map(Packed::unpack).unwrap_or_default();
            fields.insert(flag_number, Cell::Bool(value));
            if let Some(own) = number(&format!("{flag}LastModified")) {
                match stamp {
                    Some(stamp) => fields.insert(own, Cell::Time(stamp.as_millisecond())),
                    None => fields.remove(&own),
                };
            }
            if let (Some(all), Some(stamp)) =
                (stamp_of_all(flag).and_then(|all| number(&all)), stamp)
            {
                fields.insert(all, Cell::Time(stamp.as_millisecond()));
            }
            if let Some(modified) = number("lastModified") {
                fields.insert(modified, Cell::Time(now));
            }
            data.put(*row, &fields);
        }
        Ok(rows.len())
    }
}
