//! What `check` asks both systems: may we, is it there, does it fit?

use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::app::activity_check::activity_findings;
use crate::app::check_files::check_files;
use crate::app::check_journal::check_journal;
use crate::app::check_optout::check_optout;
use crate::app::guardrails::row_findings;
use crate::app::rights::right_findings;
use crate::app::tables::{how_to_track, lookup};
use crate::campaign::{Found, Writer};
use crate::dynamics::{Query, not_tracked};
use crate::http::{Client, Failure, Outcome};
use crate::mapping::spec::{Lookup, TableMapping, Tracking};
use crate::mapping::{Compiled, Place, Problem, compile};
use crate::model::{Column, ResourceSchema, TableSchema};

/// Longest wait for one system to answer a check.
const PATIENCE: Duration = Duration::from_secs(30);

/// Clocks that differ by more are worth a word.
const SKEW_SECONDS: i64 = 60;

/// Whose trouble a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FindingKind {
    /// Refused credentials or privileges.
    Refused,
    /// Anything else that must be mended.
    Problem,
    /// A limit of the vendor's that is passed; cdsync goes on.
    Warning,
    /// Worth knowing; nothing needs to be done.
    Note,
}

/// One finding.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// System and object, or key path.
    pub(crate) place: String,
    /// What is wrong.
    pub(crate) problem: String,
    /// What to do.
    pub(crate) hint: String,
    /// Whose trouble it is.
    pub(crate) kind: FindingKind,
}

/// Asks both systems.
pub(crate) async fn check(app: &App) -> Vec<Finding> {
    let mut findings = Vec::new();
    check_files(app, &mut findings).await;
    let Some(who) = within(app, "dynamics", app.dynamics.who_am_i(), &mut findings).await else {
        return campaign_only(app, findings).await;
    };
    findings.push(note(
        "dynamics",
        format!("known as user {} of organization {}", who.user_id, who.organization_id),
    ));
    match within(app, "dynamics", app.dynamics.retention_days(), &mut Vec::new()).await {
        Some(Some(days)) => findings.push(note(
            "dynamics organization",
            format!("deleted rows are kept for {days} days: a flow that rests longer must read all rows again"),
        )),
        Some(None) | None => findings.push(note(
            "dynamics organization",
            "how long deleted rows are kept cannot be read; the age of cursors is not watched".into(),
        )),
    }
    let tables = app.config.ingress.as_ref().map_or(&[][..], |ingress| &ingress.tables);
    for (index, spec) in tables.iter().enumerate() {
        table(app, index, spec, &mut findings).await;
    }
    findings.extend(row_findings(app, tables).await);
    check_journal(app, &mut findings).await;
    check_optout(app, &mut findings).await;
    findings.extend(activity_findings(app).await);
    findings.extend(right_findings(app, &who.user_id).await);
    findings
}

async fn campaign_only(app: &App, mut findings: Vec<Finding>) -> Vec<Finding> {
    within(app, "campaign", app.campaign.resources(), &mut findings).await;
    findings
}

/// Waits for an answer, and makes a finding of its absence.
pub(super) async fn within<T>(
    app: &App,
    place: &str,
    asking: impl Future<Output = Result<T, Failure>>,
    findings: &mut Vec<Finding>,
) -> Option<T> {
    tokio::select! {
        answer = asking => match answer {
            Ok(value) => Some(value),
            Err(failure) => {
                findings.push(of_failure(place, &failure));
                None
            }
        },
        () = app.clock.sleep(PATIENCE) => {
            let asked = app.clients().find(|client| place.starts_with(client.system()));
            let outage = asked.map_or_else(|| app.outage(), Client::outage);
            findings.push(Finding {
                place: place.to_owned(),
                problem: format!(
                    "no answer within {} s{}",
                    PATIENCE.as_secs(),
                    outage.map(|text| format!(": {text}")).unwrap_or_default(),
                ),
                hint: "check the address, the network and the firewall".into(),
                kind: FindingKind::Problem,
            });
            None
        }
    }
}

fn of_failure(place: &str, failure: &Failure) -> Finding {
    let refused = failure.outcome == Outcome::Refused;
    let hint = if not_tracked(failure) {
        "set `tracking = \"diff\"` in its mapping, which reads all rows in each pass"
    } else if refused {
        "check client id, secret or certificate, tenant and scopes, and the application user's role"
    } else {
        "what the system said is quoted; its request id helps its support"
    };
    Finding {
        place: place.to_owned(),
        problem: failure.to_string(),
        hint: hint.into(),
        kind: if refused { FindingKind::Refused } else { FindingKind::Problem },
    }
}

fn problem(place: &str, problem: String, hint: &str) -> Finding {
    Finding { place: place.to_owned(), problem, hint: hint.to_owned(), kind: FindingKind::Problem }
}

fn note(place: &str, text: String) -> Finding {
    Finding { place: place.to_owned(), problem: text, hint: String::new(), kind: FindingKind::Note }
}

async fn table(app: &App, index: usize, spec: &TableMapping, findings: &mut Vec<Finding>) {
    let source = format!("dynamics {}", spec.dynamics);
    let target = format!("campaign {}", spec.campaign);
    let schema =
        within(app, &source, app.dynamics.table_schema(&spec.dynamics, None), findings).await;
    let resource =
        within(app, &target, app.campaign.resource_schema(&spec.campaign), findings).await;
    let tracked = spec.tracking == Tracking::Changes;
    if let Some(schema) = &schema
        && tracked
        && !schema.change_tracking
    {
        let hint = how_to_track(&spec.dynamics, schema.change_tracking_possible);
        findings.push(problem(&source, "change tracking is off".into(), &hint));
    }
    let (Some(schema), Some(resource)) = (schema, resource) else { return };
    if !tracked && schema.change_tracking && !schema.intersect {
        findings.push(note(
            &format!("ingress.table[{index}].tracking"),
            format!("{} is tracked: `tracking = \"changes\"` costs less", spec.dynamics),
        ));
    }
    match compile(spec, &schema, &resource) {
        Err(problems) => {
            findings.extend(problems.iter().map(|problem| of_mapping(index, problem)));
            if !problems.iter().any(|problem| problem.place == Place::Key) {
                key(app, &target, spec, resource, findings).await;
            }
        }
        Ok(compiled) => {
            for (field, column, limit) in compiled.narrow_fields() {
                findings.push(note(
                    &format!("ingress.table[{index}]"),
                    format!(
                        "{} holds {limit} characters, its column {column}: a longer text makes a dead letter unless `on_too_long = \"cut\"`",
                        field.name
                    ),
                ));
            }
            if *spec.key.column(&schema) != schema.primary_id {
                findings.push(note(
                    &format!("ingress.table[{index}].key.from"),
                    format!(
                        "{} is not the table's primary id ({}): of two rows with the same value the second becomes a dead letter",
                        spec.key.column(&schema), schema.primary_id
                    ),
                ));
            }
            if schema.change_tracking || !tracked {
                read_one(app, &source, (&schema, spec.tracking), &compiled, findings).await;
            }
            key(app, &target, spec, resource, findings).await;
        }
    }
}

fn of_mapping(index: usize, problem: &Problem) -> Finding {
    let mut place = format!("ingress.table[{index}]");
    match &problem.place {
        Place::Table => {}
        Place::Key => place.push_str(".key"),
        Place::Field(field) => place.push_str(&format!(".fields[{field}]")),
        Place::Link(link) => place.push_str(&format!(".links[{link}]")),
        Place::Rule(path) => {
            place.push_str(".filter");
            for step in path {
                place.push_str(&format!(".rules[{step}]"));
            }
        }
    }
    if let Some(part) = problem.part {
        place.push('.');
        place.push_str(part);
    }
    Finding {
        place,
        problem: problem.text.clone(),
        hint: problem.hint.clone(),
        kind: FindingKind::Problem,
    }
}

/// Reads one row as a pass would: shows the privilege, the columns and the
/// clock.
async fn read_one(
    app: &App,
    place: &str,
    (schema, tracking): (&TableSchema, Tracking),
    compiled: &Compiled,
    findings: &mut Vec<Finding>,
) {
    let columns: Vec<Column> = compiled.columns().into_iter().cloned().collect();
    let query = Query { table: schema.clone(), columns, page_rows: 1 };
    let read = async {
        match tracking {
            Tracking::Changes => app.dynamics.full_read(&query).await,
            Tracking::Diff => app.dynamics.all_rows(&query, None).await,
        }
    };
    let Some(page) = within(app, place, read, findings).await else { return };
    if let Some(date) = page.date {
        let skew = app.clock.now().duration_since(date).as_secs();
        if skew.abs() > SKEW_SECONDS {
            findings.push(problem(
                "dynamics clock",
                format!("its clock and this machine's differ by {skew} s"),
                "set this machine's clock (systemd-timesyncd or chrony)",
            ));
        }
    }
}

/// Asks for a key that nobody has: shows the token, the filter and its
/// parameter.
async fn key(
    app: &App,
    place: &str,
    spec: &TableMapping,
    resource: ResourceSchema,
    findings: &mut Vec<Finding>,
) {
    if let Lookup::Filter { filter, parameter } = &spec.key.lookup
        && let Some(problem) = no_such_filter(app, spec, &resource, (filter, parameter)).await
    {
        findings.push(Finding { place: place.to_owned(), ..problem });
        return;
    }
    let writer = Writer::new(
        app.campaign.clone(),
        Arc::new(resource),
        spec.key.to.clone(),
        lookup(&spec.key.lookup),
        vec![spec.key.to.clone()],
    );
    let nobody = app.clock.guid().to_string();
    let mut answered = Vec::new();
    let found = within(app, place, writer.find(&nobody), &mut answered).await;
    if let (Lookup::Filter { filter, parameter }, Some(finding)) =
        (&spec.key.lookup, answered.first_mut())
        && finding.kind == FindingKind::Problem
    {
        finding.hint = how_to_filter(spec, filter, parameter);
    }
    findings.append(&mut answered);
    match found {
        None | Some(Found::Nothing) => {}
        Some(Found::One(_) | Found::Several(_)) => findings.push(problem(
            place,
            "a look-up by a key that nobody has finds a record".into(),
            "check the filter and the name of its parameter",
        )),
    }
}

/// Looks the filter up in the resource's metadata. Nothing is said where the
/// metadata does not list filters: asking is then the only proof.
async fn no_such_filter(
    app: &App,
    spec: &TableMapping,
    resource: &ResourceSchema,
    (filter, parameter): (&str, &str),
) -> Option<Finding> {
    let listed = within(app, "", app.campaign.filters(resource), &mut Vec::new()).await??;
    if listed.is_empty() {
        return None;
    }
    let Some(found) = listed.iter().find(|known| known.name == filter) else {
        let names: Vec<&str> = listed.iter().map(|known| known.name.as_str()).collect();
        return Some(problem(
            "",
            format!("there is no filter {filter}"),
            &format!("{}; there are: {}", how_to_filter(spec, filter, parameter), names.join(", ")),
        ));
    };
    let known = found.parameters.iter().any(|name| name == parameter);
    (!known && !found.parameters.is_empty()).then(|| {
        problem(
            "",
            format!("the filter {filter} has no parameter {parameter}"),
            &format!(
                "it has: {}; or {}",
                found.parameters.join(", "),
                how_to_filter(spec, filter, parameter)
            ),
        )
    })
}

/// How a custom filter comes into being (Campaign sheet, 3.6): the API puts `by`
/// before the name of the filter and `_parameter` behind that of the parameter.
fn how_to_filter(spec: &TableMapping, filter: &str, parameter: &str) -> String {
    let id = filter.strip_prefix("by").unwrap_or(filter);
    let name = parameter.strip_suffix("_parameter").unwrap_or(parameter);
    format!(
        "define it in Campaign: Administration > Development > Custom resources > {} > Filter definition, with the id `{id}` and one rule: {} equal to a parameter `{name}` (\"Switch to parameters\"); then publish",
        spec.campaign, spec.key.to
    )
}
