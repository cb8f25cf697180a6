//! Links at the moment of a decision: whether a record follows its parent, goes
//! without the link, or is given up; and what the store remembers of it.

use std::borrow::Cow;

use crate::mapping::spec::MissingParent;
use crate::store::{LinkRow, PayloadLink, Pending, Standing, StoreError, Work};

use super::decide::Decision;
use super::prepare::{Content, Prepared, Table};

/// What becomes of one link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkEnd {
    /// It is written once Campaign holds the parent.
    Follow,
    /// The record goes without it.
    Leave,
    /// The record is given up.
    Refuse,
}

/// Decides one link. `all_read`: the parents' table was read to its end in
/// this pass, so that a parent nobody knows of is not merely late.
pub(super) fn link_end(choice: MissingParent, parent: Standing, all_read: bool) -> LinkEnd {
    let missing = match parent {
        Standing::There | Standing::Coming => false,
        Standing::LeftOut => true,
        Standing::Unknown => all_read,
    };
    match choice {
        MissingParent::SendWithout if missing => LinkEnd::Leave,
        MissingParent::DeadLetter if missing => LinkEnd::Refuse,
        MissingParent::Wait | MissingParent::SendWithout | MissingParent::DeadLetter => {
            LinkEnd::Follow
        }
    }
}

/// Settles the links of a change: the record as it is to be decided, and the
/// links to remember.
pub(super) fn follow<'p>(
    work: &Work<'_>,
    table: &Table,
    prepared: &'p Prepared,
) -> Result<(Cow<'p, Prepared>, Vec<LinkRow>), StoreError> {
    let Content::Record(payload) = &prepared.content else {
        return Ok((Cow::Borrowed(prepared), Vec::new()));
    };
    let (mut rows, mut left, mut refusals) = (Vec::new(), Vec::new(), Vec::new());
    for link in &payload.links {
        let compiled = table.mapping.links().iter().find(|it| it.name.as_str() == link.field);
        let choice = compiled.map_or(MissingParent::Wait, |compiled| compiled.missing_parent);
        let end = if choice == MissingParent::Wait {
            LinkEnd::Follow
        } else {
            let parent = work.standing(&link.table, link.record)?;
            let end = link_end(choice, parent, table.read_parents.contains(&link.table));
            if end == LinkEnd::Refuse {
                refusals.push(refusal(link, parent));
            }
            end
        };
        if end == LinkEnd::Leave {
            left.extend(compiled);
        }
        rows.push(LinkRow {
            name: link.field.clone(),
            parent_table: link.table.clone(),
            parent: link.record,
            missed: end != LinkEnd::Follow,
        });
    }
    if !refusals.is_empty() {
        let content = Content::Failed(refusals.join("; "));
        return Ok((Cow::Owned(Prepared { content, ..prepared.clone() }), rows));
    }
    if left.is_empty() {
        return Ok((Cow::Borrowed(prepared), rows));
    }
    let mut payload = payload.clone();
    for link in left {
        let unset = table.unset(link, work.key());
        payload.links.retain(|it| *it.field != *unset.name);
        for field in payload.fields.iter_mut().filter(|field| field.name == unset.name) {
            *field = unset.clone();
        }
    }
    let content = Content::Record(payload);
    Ok((Cow::Owned(Prepared { content, ..prepared.clone() }), rows))
}

fn refusal(link: &PayloadLink, parent: Standing) -> String {
    let why = match parent {
        Standing::LeftOut => "is left out by its filter",
        Standing::There | Standing::Coming | Standing::Unknown => "is not known",
    };
    format!("{}: its parent, {} {}, {why}", link.field, link.table, link.record)
}

/// What stood before a decision.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    /// What waited.
    pub(super) pending: Option<Pending>,
    /// Whether Campaign may know the record.
    pub(super) told: bool,
    /// Whether the store knows records of the table that the filter leaves out.
    pub(super) some_left_out: bool,
}

/// What the store remembers of a record's links after a decision, and of its
/// place as a parent.
pub(super) fn remember(
    work: &mut Work<'_>,
    table: &Table,
    prepared: &Prepared,
    decision: Decision,
    links: &[LinkRow],
    before: Before,
) -> Result<(), StoreError> {
    let (name, id, told) = (&table.name, prepared.id, before.told);
    if table.is_parent {
        match prepared.content {
            Content::FilteredOut(_) => work.leave_out(name, id)?,
            Content::Record(_) | Content::Deleted if before.some_left_out => {
                work.no_longer_left_out(name, id)?;
            }
            Content::Record(_) | Content::Deleted | Content::Failed(_) => {}
        }
    }
    if !table.has_links() {
        if table.is_parent && decision == Decision::Delete {
            work.count_waits(name, id)?;
        }
        return Ok(());
    }
    match decision {
        Decision::Write => work.set_links(name, id, links, told)?,
        Decision::Delete => work.set_links(name, id, &[], told)?,
        Decision::Unchanged if matches!(prepared.content, Content::Deleted) => {
            work.remove_links(name, id)?;
        }
        Decision::Unchanged => work.set_links(name, id, links, false)?,
        Decision::GiveUp if !links.is_empty() => work.set_links(name, id, links, false)?,
        Decision::LeaveOut if told => {}
        Decision::LeaveOut | Decision::Forget => work.remove_links(name, id)?,
        // The mapping failed: what its links are now is not known.
        Decision::GiveUp => {}
    }
    if work.pending(crate::model::Flow::Ingress, name, id)?.is_some() {
        work.count_waits(name, id)
    } else if before.pending.is_some() {
        work.child_withdrawn(name, id)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_parent_that_is_missing_asks_for_a_choice() {
        use LinkEnd::{Follow, Leave, Refuse};
        use MissingParent::{DeadLetter, SendWithout, Wait};
        use Standing::{Coming, LeftOut, There, Unknown};
        let cases = [
            (There, false, [Follow, Follow, Follow]),
            (There, true, [Follow, Follow, Follow]),
            (Coming, true, [Follow, Follow, Follow]),
            (LeftOut, false, [Follow, Leave, Refuse]),
            (LeftOut, true, [Follow, Leave, Refuse]),
            (Unknown, false, [Follow, Follow, Follow]),
            (Unknown, true, [Follow, Leave, Refuse]),
        ];
        for (parent, all_read, expected) in cases {
            let ends =
                [Wait, SendWithout, DeadLetter].map(|choice| link_end(choice, parent, all_read));
            assert_eq!(ends, expected, "{parent:?}, all read: {all_read}");
        }
    }
}
