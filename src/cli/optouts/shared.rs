//! Contacts that have the same e-mail address and differ in their opt-outs: the
//! same person, perhaps. No address is told, for none is kept.

use serde_json::json;

use crate::cli::exit::End;
use crate::cli::output::{Align, Spoken, table};
use crate::cli::sink::Sink;
use crate::model::RecordId;
use crate::store::Store;
use crate::store::consent::SharedAddress;

/// Writes them into `sink`, some addresses at a time.
pub(super) async fn tell(store: &Store, as_json: bool, sink: &mut Sink) -> Result<Spoken, End> {
    let (mut after, mut told) = (None, 0);
    loop {
        let (shared, next) = store.call(move |work| work.shared_addresses(after.as_ref())).await?;
        if !shared.is_empty() {
            let text = if as_json { lines(&shared, told == 0) } else { columns(&shared) };
            sink.write(text).await?;
        }
        told += shared.len();
        match next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    match (as_json, told) {
        (true, 0) => sink.write("[]".to_owned()).await?,
        (true, _) => sink.write("]".to_owned()).await?,
        (false, 0) => {
            return Ok(Spoken::out("no contacts with the same address differ in their opt-outs"));
        }
        (false, _) => {}
    }
    Ok(Spoken::out(""))
}

/// One object a line, in one array.
fn lines(shared: &[SharedAddress], first: bool) -> String {
    let ids = |ids: &[RecordId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut out = String::new();
    for (place, it) in shared.iter().enumerate() {
        out.push_str(if first && place == 0 { "[" } else { "," });
        let object = json!({
            "flag": it.flag.as_str(),
            "opted_out": ids(&it.opted_out),
            "not_opted_out": ids(&it.others),
        });
        out.push_str(&object.to_string());
        out.push('\n');
    }
    out
}

/// A line for each contact, those of one address together.
fn columns(shared: &[SharedAddress]) -> String {
    let columns =
        [("flag", Align::Left), ("opted out", Align::Left), ("not opted out", Align::Left)];
    let mut rows = Vec::new();
    for it in shared {
        for place in 0..it.opted_out.len().max(it.others.len()) {
            let cell =
                |ids: &[RecordId]| ids.get(place).map_or_else(String::new, ToString::to_string);
            let flag = if place == 0 { it.flag.to_string() } else { String::new() };
            rows.push(vec![flag, cell(&it.opted_out), cell(&it.others)]);
        }
    }
    table(&columns, &rows)
}
