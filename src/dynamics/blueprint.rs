//! What the activity tables of mail events shall look like, what an existing
//! one lacks, and the requests that make up for it (Dynamics sheet, 7.4 to
//! 7.7). Pure: it asks nobody.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use crate::dynamics::MetadataRequest;
use crate::model::{Column, ColumnName, ColumnType, DateTimeBehavior, EventKind, TableName};

/// Languages that labels are written in: English, German, French (LCID). In any
/// other base language the English text stands.
const LANGUAGES: [u32; 3] = [1033, 1031, 1036];

/// Characters of a subject (Dynamics sheet, 4.7).
const SUBJECT: u32 = 200;

/// A text in each of [`LANGUAGES`].
type Texts = [&'static str; 3];

/// What a column of the activity tables holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MailKind {
    /// One line of text.
    Text {
        /// Characters of a new column.
        length: u32,
        /// Characters below which an existing one is too short to be trusted.
        least: u32,
        /// `FormatName`
        format: &'static str,
    },
    /// A point in time.
    Moment,
}

/// A column of the activity tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MailColumn {
    /// The end of its name; the prefix and `_` stand before it.
    pub(crate) end: &'static str,
    kind: MailKind,
    label: Texts,
    /// Written for clicks only.
    clicks_only: bool,
}

/// A link in an e-mail is seldom longer.
const URL: MailKind = MailKind::Text { length: 4000, least: 2000, format: "Url" };
const NAME: MailKind = MailKind::Text { length: 400, least: 255, format: "Text" };

/// All columns of one's own that the four tables have.
pub(crate) const MAIL_COLUMNS: [MailColumn; 6] = [
    MailColumn {
        end: "eventid",
        kind: MailKind::Text { length: 255, least: 100, format: "Text" },
        label: ["Event ID", "Ereignis-ID", "ID de l'événement"],
        clicks_only: false,
    },
    MailColumn {
        end: "eventdate",
        kind: MailKind::Moment,
        label: ["Event Date", "Zeitpunkt des Ereignisses", "Date de l'événement"],
        clicks_only: false,
    },
    MailColumn {
        end: "campaignname",
        kind: NAME,
        label: ["Campaign Name", "Kampagne", "Nom de la campagne"],
        clicks_only: false,
    },
    MailColumn {
        end: "deliveryname",
        kind: NAME,
        label: ["Delivery Name", "Versand", "Nom de l'envoi"],
        clicks_only: false,
    },
    MailColumn {
        end: "mirrorpageurl",
        kind: URL,
        label: ["Mirror Page URL", "Adresse der Mirrorseite", "URL de la page miroir"],
        clicks_only: false,
    },
    MailColumn {
        end: "trackingurl",
        kind: URL,
        label: ["Tracking URL", "Angeklickte Adresse", "URL suivie"],
        clicks_only: true,
    },
];

/// What metadata says of an activity table that is there.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// `IsActivity`, where it is told.
    pub(crate) is_activity: Option<bool>,
    /// Its columns, with the lengths of texts.
    pub(crate) columns: BTreeMap<ColumnName, Column>,
}

/// What an activity table lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    /// It is not there.
    Table,
    /// A column is not there.
    Column(MailColumn),
    /// Something is there and of another kind: nothing here changes it.
    Wrong(String),
    /// A text column is short: longer texts become dead letters.
    Short {
        /// Its logical name.
        column: String,
        /// Characters it holds.
        has: u32,
        /// Characters it should hold.
        least: u32,
    },
}

/// What a table lacks of `columns`.
pub(crate) fn lacks(
    standing: Option<&Standing>,
    prefix: &str,
    columns: impl Iterator<Item = MailColumn>,
) -> Vec<Lack> {
    let Some(standing) = standing else { return vec![Lack::Table] };
    if standing.is_activity == Some(false) {
        let text = "it is no activity table, and a table cannot be made one later";
        return vec![Lack::Wrong(text.to_owned())];
    }
    let lack = |wanted: MailColumn| {
        let name = format!("{prefix}_{}", wanted.end);
        let Some(column) = standing.columns.get(name.as_str()) else {
            return Some(Lack::Column(wanted));
        };
        match (wanted.kind, &column.kind) {
            (MailKind::Text { least, .. }, ColumnType::Text { max_length }) => {
                let has = max_length.filter(|has| *has < least)?;
                Some(Lack::Short { column: name, has, least })
            }
            (MailKind::Moment, ColumnType::DateTime(behavior)) => {
                let date = *behavior == DateTimeBehavior::DateOnly;
                date.then(|| Lack::Wrong(format!("{name} is a date without a time")))
            }
            (MailKind::Text { .. }, _) => Some(Lack::Wrong(format!("{name} is no text column"))),
            (MailKind::Moment, _) => Some(Lack::Wrong(format!("{name} is no date-time column"))),
        }
    };
    columns.filter_map(lack).collect()
}

/// The columns that events of this kind are written to.
pub(crate) fn needed(kind: EventKind) -> impl Iterator<Item = MailColumn> {
    MAIL_COLUMNS.into_iter().filter(move |column| kind == EventKind::Click || !column.clicks_only)
}

/// Their logical names.
pub(crate) fn named(
    prefix: &str,
    columns: impl Iterator<Item = MailColumn>,
) -> BTreeSet<ColumnName> {
    columns.filter_map(|column| ColumnName::new(&format!("{prefix}_{}", column.end)).ok()).collect()
}

/// How requests are made: in which language, into which solution.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    /// The organization's base language (LCID).
    pub(crate) language: u32,
    /// The solution's unique name.
    pub(crate) solution: String,
}

impl Style {
    fn label(&self, texts: Texts) -> Json {
        let at = LANGUAGES.iter().position(|known| *known == self.language).unwrap_or(0);
        let text = texts.get(at).copied().unwrap_or_default();
        json!({
            "@odata.type": "Microsoft.Dynamics.CRM.Label",
            "LocalizedLabels": [{
                "@odata.type": "Microsoft.Dynamics.CRM.LocalizedLabel",
                "Label": text, "LanguageCode": self.language,
            }],
        })
    }

    fn post(&self, path: String, body: Json) -> MetadataRequest {
        let header = Some(("MSCRM.SolutionUniqueName", self.solution.clone()));
        MetadataRequest { method: "POST", path, header, body }
    }

    /// The request that makes the table of one kind of event, with what every
    /// activity has (Dynamics sheet, 7.5).
    pub(crate) fn table(&self, kind: EventKind, table: &TableName) -> MetadataRequest {
        let (one, many) = names(kind);
        let body = json!({
            "@odata.type": "Microsoft.Dynamics.CRM.EntityMetadata",
            "SchemaName": table.as_str(),
            "DisplayName": self.label(one),
            "DisplayCollectionName": self.label(many),
            "OwnershipType": "UserOwned",
            "IsActivity": true,
            "HasActivities": false,
            "HasNotes": true,
            "IsAvailableOffline": true,
            // In the menus and on the timeline.
            "ActivityTypeMask": 1,
            "Attributes": [{
                "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata",
                "SchemaName": "Subject",
                "IsPrimaryName": true,
                "MaxLength": SUBJECT,
                "FormatName": { "Value": "Text" },
                "RequiredLevel": required(),
                "DisplayName": self.label(["Subject", "Betreff", "Objet"]),
            }],
        });
        self.post("EntityDefinitions".to_owned(), body)
    }

    /// The request that adds a column.
    pub(crate) fn column(
        &self,
        table: &TableName,
        prefix: &str,
        column: MailColumn,
    ) -> MetadataRequest {
        let mut body = Map::new();
        let (kind, members) = match column.kind {
            MailKind::Text { length, format, .. } => {
                ("String", json!({ "MaxLength": length, "FormatName": { "Value": format } }))
            }
            MailKind::Moment => (
                "DateTime",
                json!({ "Format": "DateAndTime", "DateTimeBehavior": { "Value": "UserLocal" } }),
            ),
        };
        body.insert(
            "@odata.type".into(),
            format!("Microsoft.Dynamics.CRM.{kind}AttributeMetadata").into(),
        );
        body.insert("SchemaName".into(), format!("{prefix}_{}", column.end).into());
        body.insert("DisplayName".into(), self.label(column.label));
        body.insert("RequiredLevel".into(), required());
        if let Json::Object(members) = members {
            body.extend(members);
        }
        self.post(format!("EntityDefinitions(LogicalName='{table}')/Attributes"), body.into())
    }
}

fn required() -> Json {
    json!({
        "Value": "None", "CanBeChanged": true,
        "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings",
    })
}

/// What one and several activities are called.
fn names(kind: EventKind) -> (Texts, Texts) {
    match kind {
        EventKind::Send => (
            ["Campaign Email Send", "Kampagnen-E-Mail: Versand", "E-mail de campagne envoyé"],
            ["Campaign Email Sends", "Kampagnen-E-Mail: Versände", "E-mails de campagne envoyés"],
        ),
        EventKind::Open => (
            ["Campaign Email Open", "Kampagnen-E-Mail: Öffnung", "E-mail de campagne ouvert"],
            ["Campaign Email Opens", "Kampagnen-E-Mail: Öffnungen", "E-mails de campagne ouverts"],
        ),
        EventKind::Click => (
            ["Campaign Email Click", "Kampagnen-E-Mail: Klick", "Clic dans un e-mail de campagne"],
            [
                "Campaign Email Clicks",
                "Kampagnen-E-Mail: Klicks",
                "Clics dans des e-mails de campagne",
            ],
        ),
        EventKind::Bounce => (
            ["Campaign Email Bounce", "Kampagnen-E-Mail: Rückläufer", "E-mail de campagne rejeté"],
            [
                "Campaign Email Bounces",
                "Kampagnen-E-Mail: Rückläufer",
                "E-mails de campagne rejetés",
            ],
        ),
    }
}

/// The request that publishes these tables.
pub(crate) fn publish<'a>(tables: impl Iterator<Item = &'a TableName>) -> MetadataRequest {
    let entities: Vec<String> = tables.map(|table| format!("<entity>{table}</entity>")).collect();
    let entities = entities.concat();
    let xml = format!("<importexportxml><entities>{entities}</entities></importexportxml>");
    MetadataRequest {
        method: "POST",
        path: "PublishXml".to_owned(),
        header: None,
        body: json!({ "ParameterXml": xml }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(columns: &[(&str, ColumnType)]) -> Standing {
        let one = |(name, kind): &(&str, ColumnType)| {
            let name = ColumnName::new(name).unwrap();
            (name.clone(), Column { name, kind: kind.clone(), readable: true })
        };
        Standing { is_activity: Some(true), columns: columns.iter().map(one).collect() }
    }

    fn text(length: u32) -> ColumnType {
        ColumnType::Text { max_length: Some(length) }
    }

    #[test]
    fn what_a_table_lacks_is_found_column_by_column() {
        let moment = ColumnType::DateTime(DateTimeBehavior::UserLocal);
        let mut columns = vec![
            ("acme_eventid", text(255)),
            ("acme_eventdate", moment),
            ("acme_campaignname", text(255)),
            ("acme_deliveryname", ColumnType::Text { max_length: None }),
            ("acme_mirrorpageurl", text(2000)),
        ];
        let found = |columns: &[(&str, ColumnType)], kind: EventKind| {
            lacks(Some(&standing(columns)), "acme", needed(kind))
        };
        assert_eq!(found(&columns, EventKind::Open), []);
        assert_eq!(found(&columns, EventKind::Click), [Lack::Column(MAIL_COLUMNS[5])]);
        columns[0].1 = ColumnType::Integer;
        columns[1].1 = ColumnType::DateTime(DateTimeBehavior::DateOnly);
        columns[2].1 = text(100);
        columns.pop();
        assert_eq!(
            found(&columns, EventKind::Send),
            [
                Lack::Wrong("acme_eventid is no text column".into()),
                Lack::Wrong("acme_eventdate is a date without a time".into()),
                Lack::Short { column: "acme_campaignname".into(), has: 100, least: 255 },
                Lack::Column(MAIL_COLUMNS[4]),
            ]
        );
        assert_eq!(lacks(None, "acme", needed(EventKind::Send)), [Lack::Table]);
        let plain = Standing { is_activity: Some(false), ..standing(&[]) };
        assert!(matches!(
            lacks(Some(&plain), "acme", needed(EventKind::Send)).as_slice(),
            [Lack::Wrong(_)]
        ));
    }

    #[test]
    fn labels_are_in_the_base_language() {
        let table = TableName::new("acme_campaignemailsend").unwrap();
        for (language, label) in [
            (1033, "Campaign Email Send"),
            (1031, "Kampagnen-E-Mail: Versand"),
            (1043, "Campaign Email Send"),
        ] {
            let style = Style { language, solution: "cdsync".into() };
            let request = style.table(EventKind::Send, &table);
            assert_eq!(request.header, Some(("MSCRM.SolutionUniqueName", "cdsync".to_owned())));
            let labels = &request.body["DisplayName"]["LocalizedLabels"];
            assert_eq!(labels[0]["Label"], label);
            assert_eq!(labels[0]["LanguageCode"], language);
        }
    }

    #[test]
    fn new_columns_are_longer_than_what_is_asked_of_old_ones() {
        for column in MAIL_COLUMNS {
            if let MailKind::Text { length, least, .. } = column.kind {
                assert!(length >= least && length <= 4000, "{}", column.end);
            }
        }
    }
}
