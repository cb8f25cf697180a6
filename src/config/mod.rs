//! The configuration file: raw (serde mirror, unknown keys refused) → check
//! (raw → [`Config`], every problem with place and hint).

mod settings;

pub(crate) use settings::{
    BaseUrl, CampaignSettings, Config, DynamicsCredential, DynamicsSettings, IngressSettings,
    StoreSettings, UserPassword,
};
