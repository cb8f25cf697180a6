//! From what a source tells to an e-mail event: which members mean what, which
//! bounces count, what a time looks like. Pure; must not know where an event
//! comes from nor what becomes of it.

mod recognise;
mod spec;
#[cfg(test)]
mod tests;
mod words;
mod xdm;

pub(crate) use recognise::Recognised;
pub(crate) use spec::{KindWord, Pointer, Pointers, Recognition, UnsureBounces};
pub(crate) use words::{Bounce, bounce};
