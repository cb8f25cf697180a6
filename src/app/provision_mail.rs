//! Setting up Dynamics for mail events: publisher, solution, the four activity
//! tables with their columns, published. Reads what is there, decides what is
//! missing, sends that and nothing else.

use std::time::Duration;

use uuid::Uuid;

use crate::app::App;
use crate::dynamics::{
    Failure, Lack, MAIL_COLUMNS, MetadataRequest, MetadataWriter, Outcome, Publisher, Standing,
    Style, finish_new, lacks, make_publisher, make_solution, named, publish, publisher_id,
    solution_id,
};
use crate::http::System;
use crate::model::{EventKind, TableName};

/// Waits for metadata that was just made to show itself (Dynamics sheet, 7.5).
const LOOKS_SECONDS: [u64; 5] = [0, 1, 3, 10, 20];

/// Codes that say that what was to be made is there: an earlier request that
/// seemed lost had been done (Dynamics sheet, 8.3).
const THERE_ALREADY: [&str; 2] = ["0x8004700b", "0x80047013"];

/// What shall be set up.
#[derive(Clone, Debug)]
pub(crate) struct MailWish {
    /// The publisher's unique name; none: the one that has the prefix, or else
    /// a new one, `cdsync`.
    pub(crate) publisher: Option<String>,
    /// The solution's unique name.
    pub(crate) solution: String,
}

/// One request with what it is for.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// In words.
    pub(crate) what: String,
    /// What is sent.
    pub(crate) request: MetadataRequest,
    /// Nothing depends on it: an environment may refuse it.
    optional: bool,
    /// The row that it makes, which later requests point to.
    makes: Option<MadeRow>,
}

/// A row that a step makes, by its unique name.
#[derive(Clone, Debug)]
enum MadeRow {
    Publisher(String),
    Solution(String),
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stepped {
    /// It was done.
    Done,
    /// It turned out to be done.
    There,
    /// The environment does not take it, and nothing depends on it.
    Refused,
}

/// Rows that a server gave ids of its own: the id that a request gave, and the
/// one that holds.
#[derive(Debug, Default)]
pub(crate) struct OwnIds(Vec<(Uuid, Uuid)>);

/// What is there, what is missing and what is wrong.
#[derive(Clone, Debug, Default)]
pub(crate) struct MailPlan {
    /// In the order in which they are sent; empty: nothing to do.
    pub(crate) steps: Vec<Step>,
    /// What is there already.
    pub(crate) present: Vec<String>,
    /// What a person must mend: nothing here changes it.
    pub(crate) wrong: Vec<String>,
    /// What a person may want to change.
    pub(crate) advice: Vec<String>,
}

impl MailPlan {
    fn step(&mut self, what: impl Into<String>, request: MetadataRequest) {
        self.steps.push(Step { what: what.into(), request, optional: false, makes: None });
    }

    fn making(&mut self, what: String, request: MetadataRequest, row: MadeRow) {
        self.steps.push(Step { what, request, optional: false, makes: Some(row) });
    }
}

impl App {
    /// Looks at what is there and decides what is to be sent.
    pub(crate) async fn plan_mail_tables(&self, wish: &MailWish) -> Result<MailPlan, Failure> {
        let wanted = &self.config.activity_tables;
        let mut plan = MailPlan::default();
        let unfinished = self.plan_solution(wish, &mut plan).await?;
        let writer = MetadataWriter::new(self.dynamics.clone());
        let columns = named(&wanted.prefix, MAIL_COLUMNS.into_iter());
        let mut tables = Vec::new();
        for (kind, table) in &wanted.tables {
            tables.push((*kind, table, writer.standing(table, &columns).await?));
        }
        let style = Style {
            language: self.dynamics.base_language().await?,
            solution: wish.solution.clone(),
        };
        let mut touched = Vec::new();
        for (kind, table, standing) in &tables {
            if plan_table(&style, &wanted.prefix, (*kind, table), standing.as_ref(), &mut plan) {
                touched.push(*table);
            }
        }
        if let Some(finish) = unfinished {
            // A run that was interrupted may have published nothing.
            let there = |(_, table, _): &&(EventKind, &TableName, Option<Standing>)| {
                !plan.wrong.iter().any(|text| text.starts_with(&format!("table {table}")))
            };
            touched = tables.iter().filter(there).map(|(_, table, _)| *table).collect();
            if !touched.is_empty() {
                plan.step("publish the tables", publish(touched.into_iter()));
            }
            let what = format!("mark solution {} as finished", wish.solution);
            plan.steps.push(Step { what, request: finish, optional: true, makes: None });
        } else if !touched.is_empty() {
            plan.step("publish the tables", publish(touched.into_iter()));
        }
        Ok(plan)
    }

    /// Publisher and solution; the request that marks the solution as finished
    /// where it is not.
    async fn plan_solution(
        &self,
        wish: &MailWish,
        plan: &mut MailPlan,
    ) -> Result<Option<MetadataRequest>, Failure> {
        let solution = &wish.solution;
        if let Some(found) = self.dynamics.solution(solution).await? {
            plan.present.push(format!("solution {solution}"));
            return Ok(found.unfinished().then(|| found.finish()));
        }
        let prefix = &self.config.activity_tables.prefix;
        let wanted = wish.publisher.as_deref();
        let name = wanted.unwrap_or("cdsync");
        let known = self.dynamics.publishers(prefix, name).await?;
        let publisher = match choose(&known, wanted, prefix)? {
            Some(publisher) => {
                plan.present.push(format!("publisher {}", publisher.name));
                publisher.id
            }
            None => {
                let what = format!("make publisher {name} with prefix {prefix}");
                let row = MadeRow::Publisher(name.to_owned());
                plan.making(what, make_publisher(name, prefix), row);
                publisher_id(name)
            }
        };
        let row = MadeRow::Solution(solution.clone());
        plan.making(format!("make solution {solution}"), make_solution(solution, publisher), row);
        Ok(Some(finish_new(solution)))
    }

    /// Sends one request of a plan. `ids` goes from step to step.
    pub(crate) async fn provision_step(
        &self,
        step: &Step,
        ids: &mut OwnIds,
    ) -> Result<Stepped, Failure> {
        let given = step.request.clone();
        let request = ids.0.iter().fold(given, |it, (ours, theirs)| it.readdressed(*ours, *theirs));
        let stepped = match self.change_metadata(&request).await {
            Ok(()) => Stepped::Done,
            Err(failure) if is_there(&failure) => Stepped::There,
            Err(failure)
                if step.optional
                    && matches!(
                        failure.outcome,
                        Outcome::Missing | Outcome::Setup | Outcome::BadRecord
                    ) =>
            {
                Stepped::Refused
            }
            Err(failure) => return Err(failure),
        };
        if let Some(row) = &step.makes {
            ids.0.extend(self.own_id(row).await?);
        }
        Ok(stepped)
    }

    /// The id of a row that was just made, where it is not the one given. It is
    /// looked up and not taken from the answer, which may have been lost.
    async fn own_id(&self, row: &MadeRow) -> Result<Option<(Uuid, Uuid)>, Failure> {
        let (ours, theirs) = match row {
            MadeRow::Publisher(name) => {
                let prefix = &self.config.activity_tables.prefix;
                let known = self.dynamics.publishers(prefix, name).await?;
                let found = known.iter().find(|one| one.name.eq_ignore_ascii_case(name));
                (publisher_id(name), found.map(|one| one.id))
            }
            MadeRow::Solution(name) => {
                let found = self.dynamics.solution(name).await?;
                (solution_id(name), found.map(|one| one.id()))
            }
        };
        Ok(theirs.filter(|theirs| *theirs != ours).map(|theirs| (ours, theirs)))
    }

    /// Looks until everything shows itself; what is still missing.
    pub(crate) async fn confirm_mail_tables(&self, wish: &MailWish) -> Result<MailPlan, Failure> {
        let mut plan = MailPlan::default();
        for wait in LOOKS_SECONDS {
            self.clock.sleep(Duration::from_secs(wait)).await;
            plan = self.plan_mail_tables(wish).await?;
            // What an environment may refuse, and the publishing that comes
            // with it, hold nothing up.
            if plan.steps.iter().all(|step| step.optional || step.request.path == "PublishXml") {
                plan.steps.clear();
                break;
            }
        }
        Ok(plan)
    }
}

fn is_there(failure: &Failure) -> bool {
    failure.outcome == Outcome::DuplicateKey
        || failure.code.as_deref().is_some_and(|code| THERE_ALREADY.contains(&code))
}

/// The publisher to use; none: a new one.
fn choose<'a>(
    known: &'a [Publisher],
    wanted: Option<&str>,
    prefix: &str,
) -> Result<Option<&'a Publisher>, Failure> {
    let fits = |one: &&Publisher| one.prefix.as_deref() == Some(prefix);
    let named = known.iter().find(|one| one.name.eq_ignore_ascii_case(wanted.unwrap_or("cdsync")));
    match (named, wanted) {
        (Some(named), _) if fits(&named) => Ok(Some(named)),
        (Some(named), Some(_)) => Err(other_prefix(named, prefix)),
        (_, None) => match known.iter().find(fits) {
            Some(found) => Ok(Some(found)),
            None => named.map_or(Ok(None), |named| Err(other_prefix(named, prefix))),
        },
        (None, Some(_)) => Ok(None),
    }
}

fn other_prefix(publisher: &Publisher, prefix: &str) -> Failure {
    let text = format!(
        "publisher {} has the customization prefix {}, and `prefix` of [egress] is {prefix}; change `prefix`, or name another publisher with --publisher",
        publisher.name,
        publisher.prefix.as_deref().unwrap_or("(none)"),
    );
    Failure::ours(System::Dynamics, Outcome::Setup, text)
}

/// The requests for one table; true where there are any.
fn plan_table(
    style: &Style,
    prefix: &str,
    (kind, table): (EventKind, &TableName),
    standing: Option<&Standing>,
    plan: &mut MailPlan,
) -> bool {
    let mut lacking = lacks(standing, prefix, MAIL_COLUMNS.into_iter());
    if lacking == [Lack::Table] {
        if !table.as_str().starts_with(&format!("{prefix}_")) {
            plan.wrong.push(format!(
                "table {table} is not there and cannot be made: its name does not begin with the prefix {prefix}_; change `prefix` or `tables` of [egress]"
            ));
            return false;
        }
        plan.step(format!("make activity table {table}"), style.table(kind, table));
        lacking = MAIL_COLUMNS.into_iter().map(Lack::Column).collect();
    } else {
        plan.present.push(format!("table {table}"));
    }
    let before = plan.steps.len();
    let made = standing.is_none();
    for lack in lacking {
        match lack {
            Lack::Table => {}
            Lack::Column(column) => plan.step(
                format!("add column {prefix}_{} to {table}", column.end),
                style.column(table, prefix, column),
            ),
            Lack::Wrong(text) => plan.wrong.push(format!(
                "table {table}: {text}; cdsync changes nothing that is there: mend it by hand, or set `tables` or `prefix` of [egress] to other names"
            )),
            Lack::Short { column, has, least } => plan.advice.push(format!(
                "table {table}: {column} holds {has} characters, {least} or more are advised; longer texts become dead letters: make it longer at make.powerapps.com"
            )),
        }
    }
    made || plan.steps.len() > before
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publisher(name: &str, prefix: &str) -> Publisher {
        Publisher { id: publisher_id(name), name: name.to_owned(), prefix: Some(prefix.to_owned()) }
    }

    #[test]
    fn the_publisher_is_the_named_one_or_the_one_with_the_prefix() {
        let known = [publisher("Default", "new"), publisher("cdsync", "cds")];
        let chosen = |wanted: Option<&str>, prefix: &str| {
            choose(&known, wanted, prefix).map(|one| one.map(|one| one.name.clone()))
        };
        assert_eq!(chosen(None, "new").unwrap().as_deref(), Some("Default"));
        assert_eq!(chosen(None, "cds").unwrap().as_deref(), Some("cdsync"));
        assert_eq!(chosen(Some("Acme"), "acme").unwrap(), None);
        assert_eq!(chosen(Some("default"), "new").unwrap().as_deref(), Some("Default"));
        for (wanted, prefix) in [(None, "acme"), (Some("Default"), "acme")] {
            let refused = chosen(wanted, prefix).unwrap_err();
            assert!(refused.message.contains("--publisher"), "{refused}");
        }
        assert_eq!(choose(&[], None, "new").unwrap().map(|one| one.id), None);
    }
}
