//! The macro behind every event type, and how a field's value is logged.

use std::sync::atomic::AtomicU64;

use crate::model::{Flow, RecordId, ResourceName, RunId, TableName};

/// One event: its name, how often it was told, and what `docs/events.md` says
/// of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventDoc {
    /// Stable dotted name.
    pub(crate) name: &'static str,
    /// Level, in capitals.
    pub(crate) level: &'static str,
    /// Empty, `once` or `maybe`: when the level is DEBUG instead.
    #[cfg(test)]
    pub(crate) how: &'static str,
    /// How often this process told it, whether or not the log has its level.
    pub(crate) told: fn() -> &'static AtomicU64,
    /// What it means.
    #[cfg(test)]
    pub(crate) meaning: &'static str,
    /// What to do about it.
    #[cfg(test)]
    pub(crate) action: &'static str,
    /// Its fields, each with its meaning.
    #[cfg(test)]
    pub(crate) fields: &'static [(&'static str, &'static str)],
}

/// A value that may stand in a log line: numbers stay numbers.
pub(crate) trait Loggable {
    /// The form that tracing records.
    type Form: tracing::Value;
    /// This value in that form.
    fn form(&self) -> Self::Form;
}

macro_rules! loggable {
    ($($type:ty => $form:ty, $of:expr;)*) => {
        $(impl Loggable for $type {
            type Form = $form;
            fn form(&self) -> $form {
                let of: fn(&$type) -> $form = $of;
                of(self)
            }
        })*
    };
}

loggable! {
    u64 => u64, |v| *v;
    i64 => i64, |v| *v;
    u16 => u64, |v| u64::from(*v);
    bool => bool, |v| *v;
    String => String, Clone::clone;
    &'static str => &'static str, |v| v;
    Flow => &'static str, |v| v.as_str();
    RunId => i64, |v| v.0;
    TableName => String, ToString::to_string;
    ResourceName => String, ToString::to_string;
    RecordId => String, ToString::to_string;
}

impl<T: Loggable> Loggable for Option<T> {
    type Form = Option<T::Form>;
    fn form(&self) -> Self::Form {
        self.as_ref().map(Loggable::form)
    }
}

/// Declares events: doc comment = meaning, then type, name, level, what to do,
/// fields. Makes the struct, its `emit`, which counts, and a catalogue of `EventDoc`s.
///
/// `once` after the level: a state of the event's `flow` that passes meet again
/// and again; where it is no news, the level is DEBUG. `maybe`: the caller says
/// whether it is.
macro_rules! events {
    (@emit $name:literal $level:ident [$($field:ident)*]) => {
        /// Writes the event to the log.
        pub(crate) fn emit(&self) {
            $crate::telemetry::event::events!(@say self $name $level [$($field)*]);
        }
    };
    (@emit $name:literal $level:ident once [$($field:ident)*]) => {
        /// Writes the event to the log.
        pub(crate) fn emit(&self) {
            let fields = [$((
                stringify!($field), format!("{:?}", $crate::telemetry::Loggable::form(&self.$field))
            )),*];
            if $crate::telemetry::repeat::is_news(self.flow, $name, &fields) {
                $crate::telemetry::event::events!(@say self $name $level [$($field)*]);
            } else {
                $crate::telemetry::event::events!(@say self $name DEBUG [$($field)*]);
            }
        }
    };
    (@emit $name:literal $level:ident maybe [$($field:ident)*]) => {
        /// Writes the event to the log, at DEBUG where it tells nobody anything.
        pub(crate) fn emit(&self, news: bool) {
            if news {
                $crate::telemetry::event::events!(@say self $name $level [$($field)*]);
            } else {
                $crate::telemetry::event::events!(@say self $name DEBUG [$($field)*]);
            }
        }
    };
    (@say $this:ident $name:literal $level:ident [$($field:ident)*]) => {
        Self::told().fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        tracing::event!(
            target: "cdsync", tracing::Level::$level, event = $name,
            $( $field = $crate::telemetry::Loggable::form(&$this.$field) ),*
        );
    };
    (@how) => { "" };
    (@how $how:ident) => { stringify!($how) };

    ($catalogue:ident; $(
        $(#[doc = $doc:literal])+
        $type:ident = $name:literal $level:ident $($how:ident)?, $action:literal {
            $( $(#[doc = $fdoc:literal])+ $field:ident : $ftype:ty ),* $(,)?
        }
    )*) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Debug)]
            pub(crate) struct $type { $( $(#[doc = $fdoc])+ pub(crate) $field: $ftype ),* }

            impl $type {
                $crate::telemetry::event::events!(@emit $name $level $($how)? [$($field)*]);

                fn told() -> &'static std::sync::atomic::AtomicU64 {
                    static TOLD: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
                    &TOLD
                }
            }
        )*
        /// The events of this file, for `docs/events.md` and the metrics.
        pub(crate) const $catalogue: &[$crate::telemetry::EventDoc] = &[
            $( $crate::telemetry::EventDoc {
                name: $name, level: stringify!($level), told: $type::told,
                #[cfg(test)]
                how: $crate::telemetry::event::events!(@how $($how)?),
                #[cfg(test)]
                meaning: concat!($($doc),+),
                #[cfg(test)]
                action: $action,
                #[cfg(test)]
                fields: &[ $( (stringify!($field), concat!($($fdoc),+)) ),* ],
            } ),*
        ];
    };
}

pub(crate) use events;
