//! The order of the mapped tables: parents before their children, cycles, and
//! how many levels of parents a table has. Knows names only.

use std::collections::BTreeMap;

use crate::mapping::spec::TableMapping;
use crate::model::TableName;

/// Tables that link to each other in a ring, each to the next and the last to
/// the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cycle(pub(crate) Vec<TableName>);

/// The positions of the tables, parents first; else in the order of the
/// configuration. A link to a table that is not mapped counts for nothing.
pub(crate) fn parents_first(tables: &[TableMapping]) -> Result<Vec<usize>, Cycle> {
    let mut search = Search::new(tables);
    for table in 0..tables.len() {
        search.visit(table)?;
    }
    Ok(search.order)
}

/// How many levels of parents the table at this position has: 0 without links,
/// 1 if its parents have none, and so on. The mappings must have no cycle.
pub(crate) fn depth(tables: &[TableMapping], table: usize) -> Result<usize, Cycle> {
    let order = parents_first(tables)?;
    let search = Search::new(tables);
    let mut depths = vec![0; tables.len()];
    for position in order {
        let parents = search.parents.get(position).into_iter().flatten();
        let deepest = parents.filter_map(|parent| depths.get(*parent)).max().copied();
        if let Some(slot) = depths.get_mut(position) {
            *slot = deepest.map_or(0, |deepest: usize| deepest + 1);
        }
    }
    Ok(depths.get(table).copied().unwrap_or(0))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    Open,
    Done,
}

struct Search<'t> {
    tables: &'t [TableMapping],
    parents: Vec<Vec<usize>>,
    marks: Vec<Mark>,
    path: Vec<usize>,
    order: Vec<usize>,
}

impl<'t> Search<'t> {
    fn new(tables: &'t [TableMapping]) -> Self {
        let positions: BTreeMap<&TableName, usize> =
            tables.iter().enumerate().map(|(at, table)| (&table.dynamics, at)).collect();
        let parents = tables.iter().map(|table| {
            table.links.iter().filter_map(|link| positions.get(&link.table).copied()).collect()
        });
        let parents = parents.collect();
        let marks = vec![Mark::New; tables.len()];
        Self { tables, parents, marks, path: Vec::new(), order: Vec::new() }
    }

    fn visit(&mut self, table: usize) -> Result<(), Cycle> {
        match self.marks.get(table) {
            None | Some(Mark::Done) => return Ok(()),
            Some(Mark::Open) => return Err(self.cycle(table)),
            Some(Mark::New) => {}
        }
        self.mark(table, Mark::Open);
        self.path.push(table);
        for parent in self.parents.get(table).cloned().unwrap_or_default() {
            self.visit(parent)?;
        }
        self.path.pop();
        self.mark(table, Mark::Done);
        self.order.push(table);
        Ok(())
    }

    fn mark(&mut self, table: usize, mark: Mark) {
        if let Some(slot) = self.marks.get_mut(table) {
            *slot = mark;
        }
    }

    fn cycle(&self, first: usize) -> Cycle {
        let ring = self.path.iter().skip_while(|table| **table != first);
        Cycle(ring.filter_map(|at| Some(self.tables.get(*at)?.dynamics.clone())).collect())
    }
}
