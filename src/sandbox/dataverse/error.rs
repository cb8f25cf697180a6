//! Dataverse's error bodies (Dynamics sheet 8).
//!
//! Owns: the shape and the served texts that several handlers share.

use http::StatusCode;
use uuid::Uuid;

use crate::sandbox::wire::{Reply, push_json};

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

/// A refusal from its parts.
pub(crate) fn refuse(status: u16, code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { status, code, message: message.into() }
}

impl Refusal {
    /// The reply; with all annotations asked for, the error has details.
    pub(crate) fn reply(&self, annotated: bool) -> Reply {
        let mut body = b"{\"error\":{\"code\":".to_vec();
        push_json(&mut body, self.code);
        body.extend_from_slice(b",\"message\":");
        push_json(&mut body, &self.message);
        if annotated {
            body.extend_from_slice(
                b",\"@Microsoft.PowerApps.CDS.ErrorDetails.OperationStatus\":\"0\",\"@Microsoft.PowerApps.CDS.ErrorDetails.SubErrorCode\":\"-2146233088\",\"@Microsoft.PowerApps.CDS.HelpLink\":\"http://go.microsoft.com/fwlink/?LinkID=398563\",\"@Microsoft.PowerApps.CDS.InnerError.Message\":",
            );
            push_json(&mut body, &self.message);
        }
        body.extend_from_slice(b"}}");
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Reply::new(status, "application/json; odata.metadata=minimal", body)
    }
}

/// The row is not there.
pub(crate) fn no_row(table: &str, id: Uuid) -> Refusal {
    refuse(404, "0x80040217", format!("{table} With Id = {id} Does Not Exist"))
}

/// The payload cannot be understood.
pub(crate) fn payload(set: &str, inner: &str) -> Refusal {
    refuse(
        400,
        "0x80048d19",
        format!(
            "Error identified in Payload provided by the user for Entity :'{set}', For more information on this error please follow this help link https://go.microsoft.com/fwlink/?linkid=2195293  ---->  InnerException : {inner}"
        ),
    )
}

/// A property that the table does not have, in a query.
pub(crate) fn no_property(name: &str, table: &str) -> Refusal {
    refuse(
        400,
        "0x80060888",
        format!(
            "Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{table}'."
        ),
    )
}

/// A path segment that leads nowhere.
pub(crate) fn no_segment(name: &str) -> Refusal {
    refuse(404, "0x80060888", format!("Resource not found for the segment '{name}'."))
}

/// A query that cannot be read.
pub(crate) fn query(message: impl Into<String>) -> Refusal {
    refuse(400, "0x80060888", message)
}
