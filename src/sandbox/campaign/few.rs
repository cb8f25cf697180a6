//! Profiles with few fields, for simulated lives: see its namesake of Dataverse.

use std::sync::Arc;

use super::control::CampaignControl;

/// The fields that are left.
const LEFT: [&str; 16] = [
    "email",
    "externalId",
    "firstName",
    "lastName",
    "birthDate",
    "gender",
    "created",
    "lastModified",
    "createdBy",
    "modifiedBy",
    "cusToken",
    "cusCrmId",
    "blackListEmail",
    "blackListEmailLastModified",
    "blackListPhone",
    "blackListPhoneLastModified",
];

impl CampaignControl {
    /// As if profiles never had any other fields.
    pub(crate) fn with_few_fields(&self) {
        if let Some(data) = self.db().named_mut("profile") {
            let few = Arc::make_mut(&mut data.def);
            let stem = |it: &str| it.replace("denyList", "blackList");
            few.fields.retain(|it| it.item.is_none() && LEFT.contains(&stem(&it.name).as_str()));
        }
    }
}
