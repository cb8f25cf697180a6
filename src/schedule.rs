//! (to be written)

/// A cron expression.
#[derive(Clone, Debug)]
pub(crate) struct Schedule;
