//! The configuration of a simulated program.

use std::path::Path;

use super::plan::Settings;
use super::wire::ORIGIN;
use crate::model::consent::Direction;
use crate::sandbox::Sandbox;

/// The file's text. Secrets and store lie in `directory`.
pub(crate) fn text(settings: &Settings, sandbox: &Sandbox, directory: &Path) -> String {
    let systems = systems(settings, sandbox, directory);
    format!("{systems}{}{}", ingress(settings), others(settings, sandbox))
}

fn systems(settings: &Settings, sandbox: &Sandbox, directory: &Path) -> String {
    let credentials = sandbox.credentials();
    let here = directory.display();
    let (page_rows, cache) = (settings.page_rows, settings.schema_cache);
    format!(
        r#"[dynamics]
url = "{ORIGIN}"
tenant = "{tenant}"
client_id = "{dynamics_id}"
client_secret = {{ file = "{here}/dynamics-secret" }}
authority_url = "{ORIGIN}"
requests_per_5_minutes = 100000
page_rows = {page_rows}
schema_cache = "{cache}s"
[campaign]
url = "{campaign}"
client_id = "{campaign_id}"
client_secret = {{ file = "{here}/campaign-secret" }}
organization_id = "{organization}"
ims_url = "{ORIGIN}"
requests_per_second = 10000
[store]
path = "{here}/cdsync.db"
"#,
        tenant = credentials.tenant,
        dynamics_id = credentials.dynamics_client_id,
        campaign = sandbox.campaign_url(),
        campaign_id = credentials.campaign_client_id,
        organization = credentials.organization_id,
    )
}

fn ingress(settings: &Settings) -> String {
    let (every, deletes) = (settings.every, !settings.keeps);
    let filter = if settings.filter {
        format!(
            "filter = {{ rules = [ {{ column = \"jobtitle\", is = \"not-null\" }} ], delete_filtered_out = {deletes} }}\n"
        )
    } else {
        String::new()
    };
    let guard = settings
        .guard
        .map_or_else(String::new, |rows| format!("delete_guard = {{ rows = {rows} }}\n"));
    let job = if settings.job { "  { from = \"jobtitle\", to = \"cusToken\" },\n" } else { "" };
    format!(
        r#"[ingress]
schedule = "*/{every} * * * * *"
[[ingress.table]]
dynamics = "contact"
campaign = "profile"
key = {{ from = "contactid", to = "externalId", filter = "byExternalId", parameter = "externalId_parameter" }}
apply_deletes = {deletes}
{guard}{filter}fields = [
  {{ from = "lastname", to = "lastName" }},
  {{ from = "firstname", to = "firstName" }},
  {{ from = "emailaddress1", to = "email" }},
{job}]
[[ingress.table]]
dynamics = "new_vehicle"
campaign = "cusVehicle"
key = {{ from = "new_vehicleid", to = "cusVehicleId", filter = "byVehicleId", parameter = "vehicleId_parameter" }}
apply_deletes = true
links = [ {{ from = "new_contactid", to = "vehicleOwner", table = "contact" }} ]
fields = [ {{ from = "new_name", to = "cusName" }} ]
"#
    )
}

fn others(settings: &Settings, sandbox: &Sandbox) -> String {
    let Settings { batch, every, .. } = settings;
    let direction = match settings.direction {
        Direction::DynamicsToCampaign => "dynamics-to-campaign",
        Direction::CampaignToDynamics => "campaign-to-dynamics",
        Direction::Bidirectional => "bidirectional",
    };
    let reconcile = if settings.reconcile {
        "[reconcile]\nschedule = \"0 * * * * *\"\nrepair = true\n"
    } else {
        ""
    };
    let journal = sandbox.journal().url();
    format!(
        r#"[egress]
schedule = "*/{every} * * * * *"
events = ["send", "open", "click", "bounce"]
batch = {batch}
[egress.journal]
url = "{journal}"
pointers = {{ id = "/id", kind = "/kind", contact = "/contact", time = "/time", campaign = "/campaign", delivery = "/delivery", url = "/url", mirror_page = "/mirror" }}
kinds = {{ send = "send", open = "open", click = "click", bounce = "bounce" }}
[optout]
schedule = "*/{every} * * * * *"
direction = "{direction}"
source = "rest"
rest = {{ filter = "byModifiedSince", parameter = "since_parameter" }}
pairs = [
  {{ dynamics = "donotbulkemail", campaign = "blackListEmail" }},
  {{ dynamics = "donotphone", campaign = "blackListPhone" }},
]
{reconcile}"#
    )
}
