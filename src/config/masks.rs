//! Which texts of the file no output may show. Must not know how the output
//! looks.

use std::ops::Range;

use toml::de::DeValue;

use super::suggest::near;
use super::tree::Doc;

/// Whether a key of this name holds a secret, or something one should think is
/// one.
pub(super) fn is_secret_key(key: &str) -> bool {
    let key = key.to_lowercase();
    ["secret", "passw", "private_key", "certificate", "token", "passphrase"]
        .iter()
        .any(|part| key.contains(part))
        || ["client_secret", "password", "private_key", "certificate"]
            .iter()
            .any(|name| near(&key, name, 2))
}

/// Masks what stands under a secret's key, except in the three forms that name
/// a place: one text, alone. A path may be seen beside others.
pub(super) fn mask_secret(doc: &Doc<'_>, span: &Range<usize>, value: &DeValue<'_>) {
    let Some(table) = value.as_table() else {
        mask_scalars(doc, span, value);
        return;
    };
    for (key, value) in table {
        let key: &str = key.get_ref().as_ref();
        let place = key == "file" || (table.len() == 1 && ["credential", "env"].contains(&key));
        if !place || value.get_ref().as_str().is_none() {
            mask_scalars(doc, &value.span(), value.get_ref());
        }
    }
}

/// Masks every scalar; a table's own span may be its header, which may be seen.
pub(super) fn mask_scalars(doc: &Doc<'_>, span: &Range<usize>, value: &DeValue<'_>) {
    match value {
        DeValue::Array(items) => {
            for item in items {
                mask_scalars(doc, &item.span(), item.get_ref());
            }
        }
        DeValue::Table(table) => {
            for value in table.values() {
                mask_scalars(doc, &value.span(), value.get_ref());
            }
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => doc.mask(span.clone()),
    }
}
