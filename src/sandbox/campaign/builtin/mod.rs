//! The resources that the look-alike ships (campaign sheet 3.1).
//!
//! Owns: which there are. Knows no records.

mod crm;
mod fleet;
mod parts;
mod platform;
mod profile;

pub(crate) use self::parts::audit;
use super::schema::Resource;

/// All built-in resources.
pub(crate) fn resources() -> Vec<Resource> {
    let mut all = vec![
        profile::profile(),
        platform::service(),
        fleet::vehicle(),
        fleet::service_visit(),
        fleet::store(),
        platform::unit(),
    ];
    all.extend(crm::all());
    all.push(platform::subscription());
    all
}
