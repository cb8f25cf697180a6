//! `init`: a commented configuration to begin with.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::app::{App, suggest};
use crate::clock::Clock;
use crate::config::{Example, TEMPLATES, annotated, guess_key, table_block, template_blocks};
use crate::model::{ResourceName, TableName};

use super::args::{Cli, Init};
use super::config::app;
use super::exit::{End, Exit};
use super::output::{Align, data, print, say, table};
use super::progress::Progress;

/// Runs the command.
pub(super) async fn run(cli: &Cli, arguments: &Init, clock: &Clock) -> Result<Exit, End> {
    if arguments.template.iter().any(|name| name == "list") {
        print(&templates())?;
        return Ok(Exit::Done);
    }
    let text = if arguments.from_metadata {
        let progress = Progress::start(&cli.global)?;
        let app = app(&cli.global, clock)?;
        progress.step("asking both systems");
        let text = from_metadata(&app).await;
        progress.end();
        text?
    } else {
        annotated(&Example { tables: blocks(&arguments.template)?, ..Example::default() })
    };
    let file = arguments.file.as_deref().unwrap_or(&cli.global.config);
    if file == Path::new("-") {
        data(&text)?;
        return Ok(Exit::Done);
    }
    write(file, &text, arguments.force)?;
    say(&format!("wrote {}; `cdsync check --offline` looks it over", file.display()));
    Ok(Exit::Done)
}

/// The mappings of the named templates; none, if none is named.
fn blocks(names: &[String]) -> Result<Vec<String>, End> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    template_blocks(&names).map_err(|unknown| {
        End::new(
            Exit::Usage,
            format!("there is no template {unknown:?}; there are:\n\n{}", templates()),
        )
    })
}

fn templates() -> String {
    let columns = [("template", Align::Left), ("table", Align::Left), ("resource", Align::Left)];
    let rows: Vec<Vec<String>> = TEMPLATES
        .iter()
        .map(|one| vec![one.name.to_owned(), one.table.to_owned(), one.resource.to_owned()])
        .collect();
    table(&columns, &rows)
}

fn write(file: &Path, text: &str, force: bool) -> Result<(), End> {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o640);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let written = options.open(file).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let hint = if error.kind() == std::io::ErrorKind::AlreadyExists {
            "; --force overwrites it"
        } else {
            ""
        };
        End::new(Exit::Usage, format!("{} cannot be written: {error}{hint}", file.display()))
    })
}

/// A mapping block of every column and field that both systems have; the
/// connection settings stay those of the present file.
async fn from_metadata(app: &App) -> Result<String, End> {
    let mut blocks = Vec::new();
    for (table, resource) in pairs(app).await? {
        let schema = app.dynamics.table_schema(&table, None).await?;
        let target = app.campaign.resource_schema(&resource).await?;
        let key = guess_key(&schema.primary_id, &resource)
            .map_err(|error| End::new(Exit::Usage, error.to_string()))?;
        let pairs = suggest(&key, &schema, &target);
        blocks.push(table_block(&table, &resource, &key, &pairs));
    }
    let config = &app.config;
    let trimmed = |url: &str| url.trim_end_matches('/').to_owned();
    let example = Example {
        dynamics_url: trimmed(config.dynamics.url.0.as_str()),
        tenant: config.dynamics.tenant.clone(),
        dynamics_client_id: config.dynamics.client_id.clone(),
        authority_url: Some(trimmed(config.dynamics.authority.0.as_str())),
        campaign_url: trimmed(config.campaign.url.0.as_str()),
        campaign_client_id: config.campaign.client_id.clone(),
        campaign_secret: config.campaign.client_secret.clone(),
        organization_id: config.campaign.organization_id.clone(),
        ims_url: Some(trimmed(config.campaign.ims_url.0.as_str())),
        store_path: config.store.path.display().to_string(),
        tables: blocks,
        ..secret_of(app)
    };
    Ok(annotated(&example))
}

fn secret_of(app: &App) -> Example {
    use crate::config::DynamicsCredential;
    match &app.config.dynamics.credential {
        DynamicsCredential::Secret(source) => {
            Example { dynamics_secret: source.clone(), ..Example::default() }
        }
        DynamicsCredential::Certificate(_) | DynamicsCredential::Public => Example::default(),
    }
}

/// Contacts and profiles, and each mapped table that is configured already.
async fn pairs(app: &App) -> Result<Vec<(TableName, ResourceName)>, End> {
    let configured = app.config.ingress.iter().flat_map(|ingress| &ingress.tables);
    let mut pairs: Vec<(TableName, ResourceName)> =
        configured.map(|table| (table.dynamics.clone(), table.campaign.clone())).collect();
    if pairs.is_empty() {
        let known = app.dynamics.tables().await?;
        if known.iter().any(|table| table.name == "contact")
            && let (Ok(table), Ok(resource)) =
                (TableName::new("contact"), ResourceName::new("profile"))
        {
            pairs.push((table, resource));
        }
    }
    Ok(pairs)
}
