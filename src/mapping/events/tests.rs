//! Events of every envelope and form, and what each comes to.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::words::{kind_word, time_of};
use super::*;
use crate::model::{EmailEvent, EventKind};

const CAMPAIGN: &str = "https://ns.adobe.com/experience/campaign";

/// All kinds switched on, nothing configured.
fn default_rules() -> Recognition {
    Recognition { events: EventKind::ALL.into(), ..Recognition::default() }
}

/// The content of an event in the XDM form, with some members replaced.
fn body(change: impl FnOnce(&mut Value)) -> Value {
    let mut body = json!({
        "xdm:timestamp": "2024-05-06T07:08:09+02:00",
        "xdm:directMarketing": { "xdm:sends": { "xdm:value": 1 } },
        "xdm:channel": { "@id": "https://ns.adobe.com/xdm/channels/email" },
        "xdm:endUserIDs": { CAMPAIGN: { "@id": "https://data.adobe.io/entities/identity/1234567" } },
        format!("{CAMPAIGN}/message"): {
            "xdm:externalID": "uuid:00112233-4455-6677-8899-aabbccddeeff",
            "xdm:seedMember": false, "xdm:proofMember": false, "xdm:testMember": false,
            "xdm:quarantine": false, "xdm:mirrorPage": "https://mirror/1",
        },
        format!("{CAMPAIGN}/delivery"): { "xdm:deliveryName": "DM200", "xdm:testEnabled": true },
        format!("{CAMPAIGN}/marketingCampaign"): { "xdm:campaignName": "CAMP2010" },
        format!("{CAMPAIGN}/link"): { "xdm:url": "https://shop/1" },
    });
    change(&mut body);
    body
}

fn cloud(body: &Value) -> Value {
    json!({ "eventid": "e-1", "event_id": "old", "id": "other", "specversion": "1.0",
        "type": "com.adobe.campaign", "time": "2024-12-17T18:43:56Z", "data": body })
}

fn message(body: &mut Value) -> &mut Value {
    &mut body[format!("{CAMPAIGN}/message")]
}

fn event_of(recognised: Recognised) -> EmailEvent {
    let Recognised::Event(event) = recognised else { panic!("{recognised:?}") };
    event
}

/// What an event comes to, in a word.
fn outcome(rules: &Recognition, event: &Value) -> String {
    match rules.recognise(event) {
        Recognised::Event(event) => event.kind.to_string(),
        Recognised::Filtered(reason) => format!("filtered: {reason}"),
        Recognised::Unrecognised(reason) => format!("unrecognised: {reason}"),
    }
}

fn set_kind(body: &mut Value, kind: &Value) {
    body["xdm:directMarketing"] = kind.clone();
}

#[test]
fn all_three_envelopes_lead_to_the_same_event() {
    let body = body(|_| {});
    let pipeline = json!({ "header": { "msgId": "e-1", "createdAt": 1 }, "body": body });
    let mut bare = body.clone();
    bare["@id"] = json!("e-1");
    let expected = EmailEvent {
        kind: EventKind::Send,
        id: "e-1".into(),
        contact: "uuid:00112233-4455-6677-8899-aabbccddeeff".into(),
        time: "2024-05-06T05:08:09Z".parse().unwrap(),
        campaign: Some("CAMP2010".into()),
        delivery: Some("DM200".into()),
        url: None,
        mirror_page: Some("https://mirror/1".into()),
    };
    for event in [cloud(&body), pipeline, bare] {
        assert_eq!(event_of(default_rules().recognise(&event)), expected);
    }
}

#[test]
fn names_without_their_prefix_mean_the_same() {
    let bare: Value = serde_json::from_str(&body(|_| {}).to_string().replace("xdm:", "")).unwrap();
    let prefixed = default_rules().recognise(&cloud(&body(|_| {})));
    assert_eq!(default_rules().recognise(&cloud(&bare)), prefixed);
}

#[test]
fn each_kind_is_told_apart() {
    let rules = default_rules();
    let one = json!({ "xdm:value": 1 });
    let cases = [
        (json!({ "xdm:sends": one }), "send"),
        (json!({ "xdm:opens": one, "xdm:sends": { "xdm:value": 0 } }), "open"),
        (json!({ "xdm:clicks": one }), "click"),
        (json!({ "xdm:clicks": 2 }), "click"),
        (json!({ "xdm:nonDeliverables": { "xdm:sends": one } }), "filtered: a soft bounce"),
    ];
    for (kind, expected) in cases {
        let event = cloud(&body(|body| set_kind(body, &kind)));
        assert_eq!(outcome(&rules, &event), expected, "{kind}");
    }
    let nothing = cloud(&body(|body| set_kind(body, &json!({ "xdm:sends": { "xdm:value": 0 } }))));
    assert!(outcome(&rules, &nothing).contains("what `/type` says is no kind of event"));
    let click = cloud(&body(|body| set_kind(body, &json!({ "xdm:clicks": one }))));
    assert_eq!(event_of(rules.recognise(&click)).url.as_deref(), Some("https://shop/1"));
}

#[test]
fn only_hard_bounces_pass_and_corrections_that_are_one() {
    let rules = default_rules();
    let one = json!({ "xdm:sends": { "xdm:value": 1 } });
    let bounced = |reason: Value, quarantine: Value| {
        cloud(&body(|body| {
            body.as_object_mut().unwrap().remove("xdm:directMarketing");
            body["xdm:nonDeliverables"] = one.clone();
            message(body)["xdm:reason"] = reason;
            message(body)["xdm:quarantine"] = quarantine;
        }))
    };
    let corrected = |mutation: Value| cloud(&body(|body| body["xdm:mutation"] = mutation));
    let soft = "filtered: a soft bounce";
    let correction = "filtered: a correction of an earlier message";
    let cases = [
        (bounced(json!("unknown_user"), json!(true)), "bounce"),
        (bounced(json!("User unknown"), json!(null)), "bounce"),
        (bounced(json!(1), json!(false)), "bounce"),
        (bounced(json!(null), json!(null)), "bounce"),
        (bounced(json!(null), json!(true)), "bounce"),
        (bounced(json!(null), json!(false)), soft),
        (bounced(json!("mailbox_full"), json!(true)), soft),
        (bounced(json!("refused"), json!(true)), "bounce"),
        (bounced(json!("refused"), json!(false)), soft),
        (bounced(json!("duplicate"), json!(true)), "filtered: not a bounce"),
        (corrected(json!({ "xdm:reasonMessage": "* Sent.", "xdm:quarantine": false })), correction),
        (corrected(json!({})), correction),
        (corrected(json!({ "xdm:reason": "unknown_user" })), "bounce"),
        (corrected(json!({ "xdm:quarantine": true })), "bounce"),
        (corrected(json!({ "xdm:reason": "mailbox_full" })), correction),
    ];
    for (event, expected) in cases {
        assert_eq!(outcome(&rules, &event), expected, "{event}");
    }
    let mut late = bounced(json!("unknown_user"), json!(true));
    let before = json!({ "xdm:quarantine": false, "xdm:timestamp": "2024-05-05T00:00:00Z" });
    late["data"]["xdm:mutation"] = before;
    let event = event_of(rules.recognise(&late));
    assert_eq!(event.kind, EventKind::Bounce, "what was told before is no news");
    assert_eq!(event.time.to_string(), "2024-05-06T05:08:09Z", "when it came back");
}

#[test]
fn proofs_seeds_other_channels_and_kinds_that_are_off_are_filtered() {
    let rules = default_rules();
    for member in ["xdm:proofMember", "xdm:seedMember", "xdm:testMember", "xdm:controlGroupMember"]
    {
        let event = cloud(&body(|body| message(body)[member] = json!(true)));
        assert!(outcome(&rules, &event).starts_with("filtered: a "), "{member}");
    }
    for channel in
        [json!({ "@id": "https://ns.adobe.com/xdm/channels/sms" }), json!("https://x/push")]
    {
        let event = cloud(&body(|body| body["xdm:channel"] = channel));
        assert_eq!(outcome(&rules, &event), "filtered: another channel than e-mail");
    }
    let off = Recognition { events: [EventKind::Click].into(), ..Recognition::default() };
    assert_eq!(outcome(&off, &cloud(&body(|_| {}))), "filtered: its kind is switched off");
}

#[test]
fn a_flat_event_needs_only_the_members_that_are_pointed_to() {
    let pointer = |text| Some(Pointer::new(text).unwrap());
    let rules = Recognition {
        pointers: Pointers {
            id: pointer("/id"),
            kind: pointer("/type"),
            contact: pointer("/data/contact"),
            time: pointer("/data/at"),
            campaign: pointer("/data/campaign"),
            url: pointer("/data/url"),
            ..Pointers::default()
        },
        kinds: BTreeMap::from([
            ("com.x.click".to_owned(), KindWord::Kind(EventKind::Click)),
            ("com.x.bounce".to_owned(), KindWord::Kind(EventKind::Bounce)),
            ("com.x.unsubscribe".to_owned(), KindWord::Ignore),
        ]),
        ..default_rules()
    };
    let flat = |kind: &str| {
        json!({ "id": 7, "type": kind,
            "data": { "contact": "{ABC}", "at": 1_714_972_089_000_i64, "url": "https://shop/1" } })
    };
    let event = event_of(rules.recognise(&flat("com.x.click")));
    assert_eq!((event.id.as_str(), event.contact.as_str()), ("7", "{ABC}"));
    assert_eq!(event.time.to_string(), "2024-05-06T05:08:09Z");
    assert_eq!((event.campaign, event.url.as_deref()), (None, Some("https://shop/1")));
    assert_eq!(outcome(&rules, &flat("com.x.bounce")), "bounce", "taken at its word");
    assert_eq!(outcome(&rules, &flat("com.x.unsubscribe")), "filtered: its kind is ignored");
    assert!(outcome(&rules, &flat("com.x.other")).contains("add it to `kinds`"));
    let words = Recognition { kinds: BTreeMap::new(), ..rules };
    assert_eq!(outcome(&words, &flat("com.adobe.campaign.email.opened")), "open");
}

#[test]
fn what_is_missing_or_wrong_is_named_by_its_place_and_never_by_its_value() {
    let pointer = |text| Some(Pointer::new(text).unwrap());
    let rules = Recognition {
        pointers: Pointers {
            contact: pointer("/c"),
            time: pointer("/t"),
            kind: pointer("/k"),
            ..Pointers::default()
        },
        ..default_rules()
    };
    let whole = json!({ "id": "1", "k": "sent", "c": "secret", "t": "2024-05-06T07:08:09Z" });
    assert_eq!(outcome(&rules, &whole), "send");
    let cases = [
        ("id", json!(null), "no id at `/eventid`, `/event_id`, `/id`, `/@id`, `/header/msgId`"),
        ("id", json!("a\nsecret"), "`/id` is no id"),
        ("c", json!(null), "nothing at `/c`"),
        ("c", json!(""), "nothing at `/c`"),
        ("c", json!(["secret"]), "`/c` holds neither text nor number"),
        ("c", json!("secret".repeat(100)), "`/c` is no id"),
        ("t", json!("secret"), "`/t` holds no time"),
        ("t", json!("2024-05-06"), "`/t` holds no time"),
        ("k", json!("secret"), "what `/k` says"),
        ("k", json!(null), "nothing at `/k`"),
    ];
    for (member, value, expected) in cases {
        let mut event = whole.clone();
        event[member] = value;
        let found = outcome(&rules, &event);
        assert!(found.starts_with("unrecognised: ") && found.contains(expected), "{found}");
        assert!(!found.contains("secret"), "{found}");
    }
    for event in [json!({}), json!(null), json!([1]), json!("x"), json!(5)] {
        assert!(outcome(&default_rules(), &event).starts_with("unrecognised: "), "{event}");
    }
}

#[test]
fn texts_and_ids_are_as_long_as_they_may_be() {
    let pointer = |text| Some(Pointer::new(text).unwrap());
    let rules = Recognition {
        pointers: Pointers { delivery: pointer("/d"), ..Pointers::default() },
        ..default_rules()
    };
    let told = |id: usize, delivery: usize| {
        let mut event = cloud(&body(|_| {}));
        event["eventid"] = json!("i".repeat(id));
        event["d"] = json!("d".repeat(delivery));
        outcome(&rules, &event)
    };
    assert_eq!(told(512, 8192), "send");
    assert!(told(513, 1).contains("`/eventid` is no id"));
    assert!(told(1, 8193).contains("`/d` holds more than 8192 bytes"));
}

#[test]
fn configured_words_count_wherever_a_kind_may_stand() {
    let rules = Recognition {
        kinds: BTreeMap::from([("com.adobe.campaign".to_owned(), KindWord::Kind(EventKind::Open))]),
        ..default_rules()
    };
    assert_eq!(outcome(&rules, &cloud(&body(|_| {}))), "open", "whatever the body looks like");
}

#[test]
fn an_event_that_is_not_recognised_is_told_by_kind_and_id() {
    let rules = default_rules();
    let event = cloud(&body(|_| {}));
    assert_eq!(rules.told_name(&event).as_deref(), Some("4:send:e-1"));
    let bare = json!({ "eventid": "e-1" });
    assert_eq!(rules.told_name(&bare), None, "its kind is not told");
    assert_eq!(rules.told_name(&json!({})), None);
    let kind = Some(Pointer::new("/k").unwrap());
    let pointed = Recognition { pointers: Pointers { kind, ..Pointers::default() }, ..rules };
    let event = json!({ "eventid": "7", "k": "sent" });
    assert_eq!(pointed.told_name(&event).as_deref(), Some("4:sent:7"));
    assert_eq!(pointed.told_name(&bare), None);
}

#[test]
fn words_name_kinds() {
    let cases = [
        ("Sent", Some(EventKind::Send)),
        ("com.adobe.email.click", Some(EventKind::Click)),
        ("email_opened", Some(EventKind::Open)),
        ("urn:x:BOUNCE", Some(EventKind::Bounce)),
        ("Mirror page", None),
        ("", None),
        ("resent", None),
    ];
    for (word, kind) in cases {
        assert_eq!(kind_word(word), kind, "{word}");
    }
}

#[test]
fn bounces_are_hard_by_the_vendors_table() {
    use Bounce::{Hard, Ignored, Soft};
    let cases = [
        ("User unknown", Hard, Hard, Hard),
        ("Quarantined address", Hard, Hard, Hard),
        ("Address empty", Hard, Hard, Hard),
        ("Address on denylist", Hard, Hard, Hard),
        ("unknown_user", Hard, Hard, Hard),
        ("9", Hard, Hard, Hard),
        ("Mailbox full", Soft, Soft, Soft),
        ("Not defined", Soft, Soft, Soft),
        ("invalid-domain", Soft, Soft, Soft),
        ("Unreachable", Soft, Hard, Soft),
        ("Refused", Soft, Hard, Soft),
        ("Account disabled", Soft, Hard, Soft),
        ("4", Soft, Hard, Soft),
        ("disabled", Soft, Hard, Soft),
        ("address_undefined", Hard, Hard, Hard),
        ("expired", Soft, Soft, Soft),
        ("typology_rule", Ignored, Ignored, Ignored),
        ("something new", Soft, Hard, Soft),
        ("Duplicate", Ignored, Ignored, Ignored),
        ("Error ignored", Ignored, Ignored, Ignored),
        ("Character not supported by encoding", Ignored, Ignored, Ignored),
        ("127", Ignored, Ignored, Ignored),
    ];
    let by_flag = UnsureBounces::Quarantined;
    for (reason, free, quarantined, untold) in cases {
        assert_eq!(bounce(Some(reason), Some(false), by_flag), free, "{reason}");
        assert_eq!(bounce(Some(reason), Some(true), by_flag), quarantined, "{reason}");
        assert_eq!(bounce(Some(reason), None, by_flag), untold, "{reason}");
    }
    assert_eq!(bounce(Some("Refused"), Some(false), UnsureBounces::Hard), Hard);
    assert_eq!(bounce(Some("Refused"), Some(true), UnsureBounces::Soft), Soft);
    assert_eq!(bounce(None, None, UnsureBounces::Soft), Hard, "nothing says that it is soft");
}

#[test]
fn times_of_every_form_are_read() {
    let cases = [
        ("2017-09-26T15:52:25+00:00", Some("2017-09-26T15:52:25Z")),
        ("2018-05-17 08:44:49.366Z", Some("2018-05-17T08:44:49.366Z")),
        ("2018-05-17T08:44:49", Some("2018-05-17T08:44:49Z")),
        ("1545303830289", Some("2018-12-20T11:03:50.289Z")),
        ("1545303830", Some("2018-12-20T11:03:50Z")),
        ("2018-05-17", None),
        ("yesterday", None),
        ("-5", None),
        ("99999999999999999999", None),
        ("0", Some("1970-01-01T00:00:00Z")),
        ("99999999999", Some("5138-11-16T09:46:39Z")),
        ("100000000000", Some("1973-03-03T09:46:40Z")),
        ("", None),
    ];
    for (text, expected) in cases {
        let found = time_of(text).map(|time| time.to_string());
        assert_eq!(found.as_deref(), expected, "{text}");
    }
}

#[test]
fn pointers_are_those_of_the_standard() {
    for good in ["/a", "/a~1b/0", "/a~0", "/"] {
        assert!(Pointer::new(good).is_some(), "{good}");
    }
    for bad in ["", "a", "/a~", "/a~2", "#/a", "/a\n"] {
        assert!(Pointer::new(bad).is_none(), "{bad}");
    }
}

proptest::proptest! {
    #[test]
    fn no_json_makes_recognition_panic(text in "[\\[\\]{}\":,a-z0-9./@-]{0,60}") {
        if let Ok(event) = serde_json::from_str::<Value>(&text) {
            let _ = default_rules().recognise(&event);
        }
    }
}
