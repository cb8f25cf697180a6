//! From a row of Campaign's logs to an e-mail event. Pure; must not know where
//! the row comes from nor what becomes of the event.

mod read;
mod spec;
#[cfg(test)]
mod tests;

pub(crate) use read::{LogReader, LogRow, MissingColumn};
pub(crate) use spec::{LogColumn, LogFiles, LogKind, LogSpec};
