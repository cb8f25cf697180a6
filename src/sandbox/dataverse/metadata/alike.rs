//! Answers about tables, remembered while nobody changes one: a simulated life
//! asks for the same in every pass, and all lives begin alike.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use crate::sandbox::dataverse::error::Refusal;
use crate::sandbox::dataverse::store::Db;
use crate::sandbox::variants::Variants;
use crate::sandbox::wire::{Call, Reply};

/// Most answers that are kept of one state of the tables.
const MOST: usize = 500;

/// The state of the tables that every look-alike begins with.
const FIRST: u64 = 1;

/// What was asked: origin, path, query, the variant that counts here, and where
/// the definition of contacts lies, of which there are two to begin with.
type Question = (String, String, String, bool, usize);

/// Answers of one state.
type Answers = HashMap<Question, Reply>;

/// The answers of the first state are those of all look-alikes of this process.
static OF_ALL: LazyLock<Mutex<Answers>> = LazyLock::new(Mutex::default);

/// Answers of one look-alike whose tables were changed.
#[derive(Debug, Default)]
pub(crate) struct Own {
    state: u64,
    answers: Answers,
}

/// The answer as it was given before.
pub(super) fn remembered(
    db: &Db,
    call: &Call,
    variants: Variants,
    ask: impl FnOnce() -> Result<Reply, Refusal>,
) -> Result<Reply, Refusal> {
    let Call { origin, path, raw_query, .. } = call;
    // A key becomes active by being looked at.
    if path.ends_with("/Keys") {
        return ask();
    }
    let contacts = db.tables.get("contact").map_or(0, |data| Arc::as_ptr(&data.def).addr());
    let tracking = variants.list_member_tracking;
    let question = (origin.clone(), path.clone(), raw_query.clone(), tracking, contacts);
    let state = db.metadata_version;
    let mut own = db.alike.lock().unwrap_or_else(PoisonError::into_inner);
    if own.state != state {
        *own = Own { state, answers: Answers::new() };
    }
    let known = own.answers.get(&question).cloned();
    let of_all = || OF_ALL.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) =
        known.or_else(|| of_all().get(&question).filter(|_| state == FIRST).cloned())
    {
        return Ok(known);
    }
    let reply = ask()?;
    let keep = |answers: &mut Answers| {
        if answers.len() < MOST {
            answers.insert(question, reply.clone());
        }
    };
    if state == FIRST {
        keep(&mut of_all());
    } else {
        keep(&mut own.answers);
    }
    Ok(reply)
}
