//! The switches that play what the vendors' documents leave open.
//!
//! Owns: one named switch per open question of the two fact sheets, each with
//! the sheets' best guess as default. Knows nothing of how they are played.

mod words;

use serde::{Deserialize, Serialize};

pub use self::words::{Variant, VariantError};

/// How Campaign's own errors travel (campaign sheet 3.8 and 15, point 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorStyle {
    /// A JSON string as `application/json`.
    #[default]
    JsonString,
    /// Raw text as `text/plain`.
    PlainText,
}

/// What clears a Campaign text or date (campaign sheet 15, point 7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clearing {
    /// Both `""` and `null`.
    #[default]
    Both,
    /// Only `""`; `null` is refused.
    EmptyOnly,
    /// Only `null`; `""` is refused for dates.
    NullOnly,
}

/// What happens to the children of a deleted record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParentDelete {
    /// They stay, unlinked.
    #[default]
    Unlink,
    /// They go too.
    Cascade,
}

/// When a first tracked read fixes its token (Dynamics sheet 3.1 and 3.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenMoment {
    /// When the last page is served: changes to rows already served are lost.
    #[default]
    LastPage,
    /// When the first page is served: nothing is lost.
    FirstPage,
}

/// What a reader gets of a column that column security hides from it (Dynamics
/// sheet 8.3 has the error; whether a read gets it or a null is open).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecuredRead {
    /// 403 where a request names the column; without `$select` it is left out.
    #[default]
    Refused,
    /// Null, as if it were empty.
    Null,
}

/// What surrounds an event in the journal (campaign sheet 9.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Envelope {
    /// `CloudEvents` 1.0, the content under `data`.
    #[default]
    CloudEvents,
    /// The pipeline's own, the content under `body`.
    Pipeline,
    /// Activity streams, the content beside the `@id`.
    ActivityStreams,
}

/// Which of the possible behaviours the look-alikes show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Variants {
    /// Status of an expired delta token, 400 or 410 (Dynamics sheet 3.6).
    pub delta_expired: u16,
    /// When the first tracked read fixes its token.
    pub first_token: TokenMoment,
    /// Whether Dataverse keeps an empty text as null (Dynamics sheet 2.6).
    pub empty_text_is_null: bool,
    /// What a read gets of a column that is hidden from the caller.
    pub secured_read: SecuredRead,
    /// Whether a definition with change tracking takes effect only when it is
    /// published (Dynamics sheet 7.7).
    pub tracking_needs_publishing: bool,
    /// Whether change tracking of list members can be turned on (Dynamics
    /// sheet 9.4).
    pub list_member_tracking: bool,
    /// Whether the lookups of a custom activity are named after its schema name
    /// instead of its logical name (Dynamics sheet 4.6).
    pub navigation_by_schema_name: bool,
    /// What happens to activities when the record that they regard is deleted;
    /// the sheet does not say, the default is what the platform's own do.
    pub regarding_delete: ParentDelete,
    /// Whether closed activities refuse changes (Dynamics sheet 4.7).
    pub closed_is_read_only: bool,
    /// Whether `Prefer: return=representation` brings the row of a change; a
    /// server may leave a preference be (Dynamics sheet 4.2).
    pub representation: bool,
    /// Whether publishers and solutions get ids of the server's own, whatever a
    /// request gives; the sheet has no word of given ones (Dynamics sheet 7.4).
    pub own_solution_ids: bool,
    /// Whether a user's privileges can be read; not in the Dynamics sheet.
    pub privileges_can_be_read: bool,
    /// Reads of a new alternate key until its index is built (Dynamics sheet
    /// 7.6).
    pub key_pending_reads: u32,
    /// Operations that one batch may hold; older servers take 250 (Dynamics
    /// sheet 5.1).
    pub batch_operations: usize,
    /// Shape of Campaign's error bodies.
    pub campaign_errors: ErrorStyle,
    /// Status of a Campaign deletion, 200 or 204 (campaign sheet 3.7).
    pub campaign_delete: u16,
    /// Whether `externalId` is a unique key of profiles.
    pub unique_external_id: bool,
    /// Whether data policies rewrite values (campaign sheet 3.7 and 6).
    pub data_policies: bool,
    /// What clears a Campaign value.
    pub clearing: Clearing,
    /// What clears a Campaign link.
    pub link_clearing: Clearing,
    /// Whether rows of lists lack links that are not set, instead of null
    /// (campaign sheet 3.2).
    pub lists_leave_out_unset_links: bool,
    /// Whether metadata shows one character less than a text takes (campaign
    /// sheet 6).
    pub length_one_less: bool,
    /// Whether links are of the "1 cardinality" kind that hides a child whose
    /// parent is missing (campaign sheet 3.1).
    pub one_cardinality_links: bool,
    /// What happens to the children of a deleted Campaign record.
    pub parent_delete: ParentDelete,
    /// Whether deleting a record deletes those it links to, as the rule reads
    /// that links have unless somebody changes it (campaign sheet 3.1).
    pub delete_takes_targets: bool,
    /// Rows from which a Campaign list has no `next` without
    /// `_forcePagination` (campaign sheet 3.5).
    pub big_table_rows: usize,
    /// Whether writing an opt-out flag with an equal value moves its stamp
    /// (campaign sheet 15, point 11).
    pub equal_flag_bumps: bool,
    /// Whether a flag's own stamp moves with it; with `false` only the one of
    /// all flags does.
    pub flags_have_stamps: bool,
    /// Whether flags and stamps are called `denyList…` instead of `blackList…`
    /// (campaign sheet 4).
    pub deny_list_names: bool,
    /// Whether both systems' request limits are enforced.
    pub rate_limits: bool,
    /// Dataverse requests per window (Dynamics sheet 6.1).
    pub dynamics_requests: u32,
    /// The Dataverse window.
    pub dynamics_window_seconds: u32,
    /// Campaign requests per second.
    pub campaign_requests_per_second: u32,
    /// Life of an Entra token.
    pub dynamics_token_seconds: u32,
    /// Life of an IMS token.
    pub campaign_token_seconds: u32,
    /// Events in a page of the journal that is asked for without `limit`
    /// (campaign sheet 9.2).
    pub journal_batch: u32,
    /// What `retry-after` says at the end of the journal.
    pub journal_retry_after: u32,
    /// Every nth event of those written together stands in the journal twice;
    /// 0 for none.
    pub journal_repeats: u32,
    /// Events written together are shuffled within windows of this many.
    pub journal_shuffle: u32,
    /// Whether all links come in one header, where the journal sends one header
    /// each.
    pub journal_links_joined: bool,
    /// What surrounds the events that mailings write (campaign sheet 9.5).
    pub journal_envelope: Envelope,
}

impl Default for Variants {
    fn default() -> Self {
        Self {
            delta_expired: 400,
            first_token: TokenMoment::LastPage,
            empty_text_is_null: true,
            secured_read: SecuredRead::Refused,
            tracking_needs_publishing: true,
            list_member_tracking: false,
            navigation_by_schema_name: false,
            regarding_delete: ParentDelete::Cascade,
            closed_is_read_only: true,
            representation: true,
            own_solution_ids: false,
            privileges_can_be_read: true,
            key_pending_reads: 1,
            batch_operations: 1000,
            campaign_errors: ErrorStyle::JsonString,
            campaign_delete: 200,
            unique_external_id: true,
            data_policies: false,
            clearing: Clearing::Both,
            link_clearing: Clearing::Both,
            lists_leave_out_unset_links: false,
            length_one_less: false,
            one_cardinality_links: false,
            parent_delete: ParentDelete::Unlink,
            delete_takes_targets: false,
            big_table_rows: 100_000,
            equal_flag_bumps: true,
            flags_have_stamps: true,
            deny_list_names: false,
            rate_limits: false,
            dynamics_requests: 6000,
            dynamics_window_seconds: 300,
            campaign_requests_per_second: 50,
            dynamics_token_seconds: 3599,
            campaign_token_seconds: 86_399,
            journal_batch: 100,
            journal_retry_after: 10,
            journal_repeats: 0,
            journal_shuffle: 0,
            journal_links_joined: false,
            journal_envelope: Envelope::CloudEvents,
        }
    }
}
