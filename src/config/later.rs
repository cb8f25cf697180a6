//! Keys of the contract that this version does not have. What is off by them
//! is accepted; what they would switch on is refused: a key that nobody reads
//! would be a lie.

use super::tree::{Keys, Node};

const REMOVE: &str = "remove it; a later version brings it";

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
