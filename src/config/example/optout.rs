//! `[optout]` of the commented configuration.

/// Every key, each with what it means; commented out.
pub(super) const OPTOUT: &str = r#"
# Opt-out flags of contacts and profiles; off by default. Needs the mapping of contact to profile.
# [optout]
# disabled (default), dynamics-to-campaign, campaign-to-dynamics or bidirectional
# direction = "bidirectional"
# schedule = "0 */5 * * * *"      # time_zone as above
# How Campaign's changes are read: "rest" through a custom date filter, "sftp" from the daily
# export, or both, as in ["sftp", "rest"].
# source = "rest"
# What proves that Campaign is newer, so that an opt-out may be lifted: "safe" (default)
# corrects both clocks, "documented" follows the vendor's page literally.
# rule = "safe"
# margin = "2s"                   # least lead, beyond what the clocks leave open
# Holds a run that would lift more opt-outs than either, until `cdsync approve-optouts`; up
# to 50 pass in any case.
# clearing_guard = { rows = 500, percent = 1 }
# Each flag stands here or in `fields` of the table contact, not in both. Of a pair, too:
# `inverted = true`, the column means "allow"; `null_means_false = true`, an empty column
# counts as false, and otherwise says nothing.
# pairs = [ { dynamics = "donotbulkemail", campaign = "blackListEmail" }, { dynamics = "donotphone", campaign = "blackListPhone" } ]
# A contact with the address of one that was deleted and had opted out, within this time:
# "warn" (default), "opt-out" sets the flags, "off" keeps no fingerprints of addresses.
# recreated = "warn"
# recreated_within = "90d"
# address = "emailaddress1"       # the contact's column
# rest = { filter = "byModifiedSince", parameter = "since_parameter" }
# The header names externalId, each flag and its …LastModified; `columns` where it differs,
# `format`, `after`, `settle_seconds`, `marker` and `file_alarm` as in [egress.sftp].
# sftp = { directory = "d365_loads/exports", pattern = "optout_*.csv" }
"#;
