//! Keys of the contract that this version does not have. What is off by them
//! is accepted; what they would switch on is refused: a key that nobody reads
//! would be a lie.

use super::tree::{Keys, Node};

const REMOVE: &str = "remove it; a later version brings it";

/// `[optout]`: only `direction = "disabled"`, or nothing at all.
pub(super) fn optout(node: &Node<'_>) {
    let Some(keys) = section(node) else { return };
    for key in keys.present() {
        let Some(value) = keys.get(key) else { continue };
        if key == "direction" {
            if value.text().is_some_and(|direction| direction != "disabled") {
                value.problem(
                    "this version of cdsync does not have the flow `optout` yet",
                    "write `direction = \"disabled\"`, or remove `[optout]`; a later version brings it",
                );
            }
        } else {
            refuse(&keys, key, "the flow `optout`");
        }
    }
}

/// `[metrics]`: nothing.
pub(super) fn metrics(node: &Node<'_>) {
    refuse_all(node, "metrics");
}

fn section<'d>(node: &Node<'d>) -> Option<Keys<'d>> {
    // None of its values is looked at, so none is shown.
    node.mask();
    node.any_keys()
}

fn refuse_all(node: &Node<'_>, what: &str) {
    let Some(keys) = section(node) else { return };
    for key in keys.present() {
        refuse(&keys, key, what);
    }
}

fn refuse(keys: &Keys<'_>, key: &str, what: &str) {
    keys.problem_at(key, format!("this version of cdsync does not have {what} yet"), REMOVE);
}
