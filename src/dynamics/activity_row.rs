//! The row that an e-mail event becomes. Pure.

use serde_json::{Map, Value as Json};

use crate::dynamics::activity::{ActivityShape, Detail, Misfit};
use crate::model::{EmailEvent, EventKind, RecordId};

/// Most characters of a subject where metadata does not tell (Dynamics sheet,
/// 4.7).
const SUBJECT: u32 = 200;

/// What a link may begin with. Anything else (`javascript:`, `data:`) could do
/// harm where Dynamics shows it as something to click on.
const SCHEMES: [&str; 4] = ["http", "https", "mailto", "tel"];

/// Texts up to this fit any column that is made for them: it is what Dynamics
/// gives a text column where nobody says another length.
const FITS: u64 = 100;

/// How exactly the table must be known to write this event.
pub(crate) fn detail(event: &EmailEvent) -> Detail {
    let EmailEvent { kind: _, id, contact: _, time: _, campaign, delivery, url, mirror_page } =
        event;
    let texts =
        [Some(id), campaign.as_ref(), delivery.as_ref(), url.as_ref(), mirror_page.as_ref()];
    let is_long = texts.into_iter().flatten().any(|text| units(text) > FITS);
    if is_long { Detail::Lengths } else { Detail::Names }
}

/// The columns of the activity. `contact` is who it regards.
pub(super) fn row(
    shape: &ActivityShape,
    event: &EmailEvent,
    contact: RecordId,
) -> Result<Map<String, Json>, Misfit> {
    let mut columns = Map::new();
    let length = |column: &str| shape.lengths.as_ref()?.get(column).copied();
    let most = length("subject").unwrap_or(SUBJECT);
    columns.insert("subject".into(), subject(event, most).into());
    columns.insert(format!("{}@odata.bind", shape.contact), format!("/contacts({contact})").into());
    let time = event.time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    columns.insert(format!("{}_eventdate", shape.prefix), time.into());
    let url = event.url.as_deref().filter(|_| event.kind == EventKind::Click);
    for (end, text, is_link) in [
        ("eventid", Some(event.id.as_str()), false),
        ("campaignname", event.campaign.as_deref(), false),
        ("deliveryname", event.delivery.as_deref(), false),
        ("mirrorpageurl", event.mirror_page.as_deref(), true),
        ("trackingurl", url, true),
    ] {
        let Some(text) = text.filter(|text| !text.is_empty()) else { continue };
        let column = format!("{}_{end}", shape.prefix);
        if is_link && !is_harmless(text) {
            let reason = format!("the text for `{column}` is not a web address");
            return Err(Misfit { reason });
        }
        if let Some(most) = length(&column)
            && units(text) > u64::from(most)
        {
            let reason = format!(
                "the text for `{column}` is longer than the {most} characters that the column holds"
            );
            return Err(Misfit { reason });
        }
        columns.insert(column, text.into());
    }
    Ok(columns)
}

/// "Campaign Name: X; Delivery Name: Y", without what is not known; cut to what
/// the column holds, for the names stand whole in columns of their own.
fn subject(event: &EmailEvent, most: u32) -> String {
    let named = |label: &str, name: &Option<String>| {
        let name = name.as_deref().filter(|name| !name.is_empty())?;
        Some(format!("{label}: {name}"))
    };
    let parts: Vec<String> =
        [named("Campaign Name", &event.campaign), named("Delivery Name", &event.delivery)]
            .into_iter()
            .flatten()
            .collect();
    if parts.is_empty() {
        let kind = match event.kind {
            EventKind::Send => "Email Send",
            EventKind::Open => "Email Open",
            EventKind::Click => "Email URL Click",
            EventKind::Bounce => "Email Bounce",
        };
        return cut(&format!("Adobe Campaign {kind}"), most).to_owned();
    }
    cut(&parts.join("; "), most).to_owned()
}

/// Characters as Dynamics counts them.
fn units(text: &str) -> u64 {
    text.encode_utf16().count() as u64
}

fn cut(text: &str, most: u32) -> &str {
    let mut used = 0;
    let fits = text.char_indices().find(|(_, c)| {
        used += c.len_utf16();
        used > usize::try_from(most).unwrap_or(usize::MAX)
    });
    fits.map_or(text, |(end, _)| &text[..end])
}

/// Whether a browser that is given this text opens a page, if anything.
/// Browsers skip blanks and control characters, so they do not hide a scheme.
fn is_harmless(text: &str) -> bool {
    let shown: String = text
        .chars()
        .filter(|c| !(c.is_whitespace() || c.is_control() || ('\u{200b}'..='\u{200f}').contains(c)))
        .take(64)
        .collect();
    let end = shown.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')));
    let Some((scheme, rest)) = end.and_then(|end| shown.split_at_checked(end)) else { return true };
    let Some(after) = rest.strip_prefix(':') else { return true };
    // `example.com:8080/page` names a port.
    after.starts_with(|c: char| c.is_ascii_digit())
        || SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind) -> EmailEvent {
        EmailEvent {
            kind,
            id: "4109a990".into(),
            contact: "someone".into(),
            time: "2026-03-01T12:00:00.987Z".parse().unwrap(),
            campaign: Some("CMP1".into()),
            delivery: Some("DM190".into()),
            url: Some("https://example.org/a".into()),
            mirror_page: Some("https://mirror.example.org/m".into()),
        }
    }

    fn shape(lengths: &[(&str, u32)]) -> ActivityShape {
        ActivityShape {
            entity_set: "new_campaignemailclicks".into(),
            contact: "regardingobjectid_contact_new_CampaignEmailClick".into(),
            prefix: "new".into(),
            lengths: Some(lengths.iter().map(|(name, most)| ((*name).to_owned(), *most)).collect()),
        }
    }

    fn contact() -> RecordId {
        RecordId::from_bytes([7; 16])
    }

    #[test]
    fn a_click_becomes_a_row_with_all_that_the_connector_wrote() {
        let columns = row(&shape(&[]), &event(EventKind::Click), contact()).unwrap();
        let expected = serde_json::json!({
            "subject": "Campaign Name: CMP1; Delivery Name: DM190",
            "regardingobjectid_contact_new_CampaignEmailClick@odata.bind":
                "/contacts(07070707-0707-0707-0707-070707070707)",
            "new_eventid": "4109a990",
            "new_eventdate": "2026-03-01T12:00:00Z",
            "new_campaignname": "CMP1",
            "new_deliveryname": "DM190",
            "new_mirrorpageurl": "https://mirror.example.org/m",
            "new_trackingurl": "https://example.org/a",
        });
        assert_eq!(Json::Object(columns), expected);
    }

    #[test]
    fn what_is_not_known_is_left_out_and_only_clicks_have_a_url() {
        let bare = EmailEvent {
            campaign: None,
            delivery: Some(String::new()),
            mirror_page: None,
            ..event(EventKind::Bounce)
        };
        let columns = row(&shape(&[]), &bare, contact()).unwrap();
        let names: Vec<&str> = columns.keys().map(String::as_str).collect();
        assert_eq!(names.len(), 4, "{names:?}");
        assert_eq!(columns["subject"], "Adobe Campaign Email Bounce");
        for (campaign, delivery, subject) in [
            (Some("C"), None, "Campaign Name: C"),
            (None, Some("D"), "Delivery Name: D"),
            (Some("C"), Some("D"), "Campaign Name: C; Delivery Name: D"),
        ] {
            let event = EmailEvent {
                campaign: campaign.map(str::to_owned),
                delivery: delivery.map(str::to_owned),
                ..event(EventKind::Send)
            };
            assert_eq!(super::subject(&event, 200), subject);
        }
    }

    #[test]
    fn only_long_texts_make_us_ask_for_lengths() {
        let long = || Some("x".repeat(101));
        let short = event(EventKind::Click);
        assert_eq!(detail(&short), Detail::Names);
        for event in [
            EmailEvent { campaign: long(), ..short.clone() },
            EmailEvent { url: long(), ..short.clone() },
            EmailEvent { id: "x".repeat(101), ..short },
        ] {
            assert_eq!(detail(&event), Detail::Lengths);
        }
    }

    #[test]
    fn our_subject_is_cut_and_everything_else_that_is_too_long_is_told() {
        let long = EmailEvent { campaign: Some("é😀".repeat(99)), ..event(EventKind::Send) };
        let columns = row(&shape(&[]), &long, contact()).unwrap();
        let subject = columns["subject"].as_str().unwrap();
        assert!((199..=200).contains(&units(subject)), "{}", units(subject));
        let known = shape(&[("subject", 20), ("new_campaignname", 296)]);
        let misfit = row(&known, &long, contact()).unwrap_err();
        assert_eq!(
            misfit.reason,
            "the text for `new_campaignname` is longer than the 296 characters that the column holds"
        );
        let fits = shape(&[("subject", 20), ("new_campaignname", 297)]);
        assert_eq!(row(&fits, &long, contact()).unwrap()["subject"], "Campaign Name: é😀é");
    }

    #[test]
    fn a_link_that_could_do_harm_is_not_written() {
        for link in [
            "javascript:alert(1)",
            "JaVaScript:x",
            " java\tscript:x",
            "\u{200b}data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
            "blob:https://example.org/1",
            "x:y",
        ] {
            let event = EmailEvent { url: Some(link.into()), ..event(EventKind::Click) };
            let misfit = row(&shape(&[]), &event, contact()).unwrap_err();
            assert_eq!(
                misfit.reason, "the text for `new_trackingurl` is not a web address",
                "{link}"
            );
        }
        for link in [
            "https://example.org/?u=javascript:x",
            "HTTP://example.org",
            "www.example.org/a:b",
            "example.org:8080/x",
            "mailto:info@example.org",
            "/relative",
            "#anchor",
            "<%= url %>",
        ] {
            assert!(is_harmless(link), "{link}");
        }
    }
}
