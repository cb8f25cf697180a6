//! Host pinning: hostile and honest forms.

use url::Url;

use super::Origin;

fn origin(base: &str) -> Origin {
    Origin::new(&Url::parse(base).unwrap())
}

const DATAVERSE: &str = "https://org.crm4.dynamics.com/api/data/v9.2";

#[test]
fn honest_links_of_the_system_pass_in_every_form() {
    let pin = origin(DATAVERSE);
    for (text, path) in [
        ("contacts?$top=1", "/api/data/v9.2/contacts?$top=1"),
        ("/api/data/v9.2/contacts", "/api/data/v9.2/contacts"),
        ("contacts(new_key='a:b')", "/api/data/v9.2/contacts(new_key='a:b')"),
        (
            "https://org.crm4.dynamics.com/api/data/v9.2/contacts?$skiptoken=%3Ccookie%20a%3D%22b%22%3E",
            "/api/data/v9.2/contacts?$skiptoken=%3Ccookie%20a%3D%22b%22%3E",
        ),
        ("https://ORG.crm4.Dynamics.com/api/data/v9.2/contacts", "/api/data/v9.2/contacts"),
        ("HTTPS://org.crm4.dynamics.com:443/api/data/v9.2/x", "/api/data/v9.2/x"),
        ("https://org.crm4.dynamics.com/api/data/v9.2", "/api/data/v9.2"),
        ("?$filter=x eq 'http://other/'", "/api/data/v9.2/?$filter=x%20eq%20%27http://other/%27"),
    ] {
        let url = pin.handed(text).unwrap();
        assert_eq!(url.path_and_query(), path, "{text}");
        assert_eq!(pin.handed(url.path_and_query()).unwrap(), url, "stored form of {text}");
        assert_eq!(pin.own(url.path_and_query()).unwrap(), url, "own form of {text}");
    }
    let pin = origin("https://mc.adobe.io/tenant/campaign/");
    for text in [
        "https://mc.adobe.io/tenant/campaign//profileAndServices/profile/@a+b/",
        "/tenant/campaign/x//y",
    ] {
        assert!(pin.handed(text).is_ok(), "{text}");
    }
    let journal = origin("https://events-va6.adobe.io");
    assert!(
        journal.handed("/events-fast/organizations/1/integrations/2/3?since=moose:e7:1").is_ok()
    );
    assert!(origin("http://127.0.0.1:8080/api/").handed("http://127.0.0.1:8080/api/x").is_ok());
}

const HOSTILE: &[&str] = &[
    "http://org.crm4.dynamics.com/api/data/v9.2/contacts",
    "https://evil.example/api/data/v9.2/contacts",
    "https://org.crm4.dynamics.com.evil.example/api/data/v9.2/contacts",
    "https://org.crm4.dynamics.com@evil.example/api/data/v9.2/contacts",
    "https://org.crm4.dynamics.com:443@evil.example/api/data/v9.2/contacts",
    "https://user@org.crm4.dynamics.com/api/data/v9.2/contacts",
    "https://user:secret@org.crm4.dynamics.com/api/data/v9.2/contacts",
    "https://@org.crm4.dynamics.com/api/data/v9.2/contacts",
    "https://:@org.crm4.dynamics.com/api/data/v9.2/contacts",
    "https://org.crm4.dynamics.com./api/data/v9.2/contacts",
    "https://org.crm4.dynamics.com:444/api/data/v9.2/contacts",
    "https://org.crm4.dynamics.com:80/api/data/v9.2/contacts",
    "https://org.crm4.dynamics.com:0443/api/data/v9.2/contacts",
    "https://org.crm4.dynamics.com:/api/data/v9.2/contacts",
    "https://org.crm4.dynamics.com:65536/api/data/v9.2/contacts",
    "https://org.crm5.dynamics.com/api/data/v9.2/contacts",
    "https://crm4.dynamics.com/api/data/v9.2/contacts",
    "https://xorg.crm4.dynamics.com/api/data/v9.2/contacts",
    "https://org.crm4.dynamics.comx/api/data/v9.2/contacts",
    "https://org%2Ecrm4.dynamics.com/api/data/v9.2/contacts",
    "https://%6frg.crm4.dynamics.com/api/data/v9.2/contacts",
    "https://оrg.crm4.dynamics.com/api/data/v9.2/contacts",
    "https://org。crm4.dynamics.com/api/data/v9.2/contacts",
    "https://ｏrg.crm4.dynamics.com/api/data/v9.2/contacts",
    "https://org.crm4.dynamics\u{ad}.com/api/data/v9.2/contacts",
    "https://xn--rg-emb.crm4.dynamics.com/api/data/v9.2/contacts",
    "https://127.0.0.1/api/data/v9.2/contacts",
    "https://2130706433/api/data/v9.2/contacts",
    "https://0x7f.1/api/data/v9.2/contacts",
    "https://[::1]/api/data/v9.2/contacts",
    "https://[::ffff:127.0.0.1]/api/data/v9.2/contacts",
    "https://169.254.169.254/latest/meta-data",
    "https://localhost/api/data/v9.2/contacts",
    "//evil.example/api/data/v9.2/contacts",
    "//org.crm4.dynamics.com/api/data/v9.2/contacts",
    "///evil.example/api/data/v9.2/contacts",
    "////evil.example",
    "/\\evil.example/api/data/v9.2/contacts",
    "\\\\evil.example\\api\\data\\v9.2",
    "\\/evil.example/",
    "https:\\\\org.crm4.dynamics.com/api/data/v9.2/contacts",
    "https://org.crm4.dynamics.com\\@evil.example/api/data/v9.2/contacts",
    "https://org.crm4.dynamics.com\\.evil.example/api/data/v9.2/contacts",
    "https:/org.crm4.dynamics.com/api/data/v9.2/contacts",
    "https:org.crm4.dynamics.com/api/data/v9.2/contacts",
    "https:///org.crm4.dynamics.com/api/data/v9.2/contacts",
    "https:contacts",
    "https:",
    "ftp://org.crm4.dynamics.com/api/data/v9.2/contacts",
    "ws://org.crm4.dynamics.com/api/data/v9.2/contacts",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "data:text/html,x",
    "gopher://org.crm4.dynamics.com/",
    " https://org.crm4.dynamics.com/api/data/v9.2/contacts",
    "https://org.crm4.dynamics.com/api/data/v9.2/contacts ",
    "/\t/evil.example/",
    "ht\ntps://org.crm4.dynamics.com/api/data/v9.2/contacts",
    "https://org.crm4.dynamics.com\t.evil.example/api/data/v9.2/",
    "contacts\r\nHost: evil.example",
    "contacts\0",
    "https://org.crm4.dynamics.com/",
    "https://org.crm4.dynamics.com/api/data/v9.1/contacts",
    "https://org.crm4.dynamics.com/api/data/v9.20/contacts",
    "https://org.crm4.dynamics.com/api/data/v9.2/../../other",
    "/api/data/v9.2/%2e%2e/%2E%2E/other",
    "../other",
    "/api/data/v9.2/..%2f..%2fother",
    "/api/data/v9.2/x/%2e%2e%2f..%5cother",
    "/api/data/v9.2/%252e%252e%252fother",
    "/other",
    "/",
    "/API/data/v9.2/contacts",
    "https://org.crm4.dynamics.com?x=/api/data/v9.2/",
    "https://org.crm4.dynamics.com#/api/data/v9.2/",
    "contacts#fragment",
    "",
    " ",
];

#[test]
fn hostile_links_are_refused_before_anything_connects() {
    let pin = origin(DATAVERSE);
    assert!(HOSTILE.len() >= 60);
    for text in HOSTILE {
        let error = pin.handed(text).expect_err(text);
        assert!(pin.own(text).is_err(), "{text}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        let shown = error.to_string();
        assert!(!shown.contains("secret") && !shown.contains("/api"), "{shown}");
    }
    assert!(pin.handed(&format!("contacts?{}", "a".repeat(70_000))).is_err());
}

/// Hosts that are not the configured one, however much they look like it.
const FOREIGN: &[&str] = &[
    "evil.example",
    "evil.example:443",
    "127.0.0.1",
    "2130706433",
    "0x7f.1",
    "0177.0.0.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "169.254.169.254",
    "localhost",
    "org.crm4.dynamics.com.evil.example",
    "org.crm4.dynamics.com%00.evil.example",
    "org.crm4.dynamics.com%2f.evil.example",
    "org.crm4.dynamics.com.",
    "org.crm4.dynamics.com:444",
    "org.crm4.dynamics.comx",
    "org.crm5.dynamics.com",
    "crm4.dynamics.com",
    "xorg.crm4.dynamics.com",
    "org%2Ecrm4.dynamics.com",
    "%6frg.crm4.dynamics.com",
    "оrg.crm4.dynamics.com",
    "org。crm4.dynamics.com",
    "ｏrg.crm4.dynamics.com",
    "ⓞrg.crm4.dynamics.com",
    "org.crm4.dynamics\u{ad}.com",
    "xn--rg-emb.crm4.dynamics.com",
    "user@org.crm4.dynamics.com",
];

#[test]
fn every_foreign_host_is_refused_in_every_spelling_of_a_link() {
    let pin = origin(DATAVERSE);
    let path = "api/data/v9.2/contacts";
    let mut forms = 0;
    for host in FOREIGN {
        for text in [
            format!("https://{host}/{path}"),
            format!("http://{host}/{path}"),
            format!("HtTpS://{host}/{path}"),
            format!("//{host}/{path}"),
            format!("/\\{host}/{path}"),
            format!("\\\\{host}\\{path}"),
            format!("https:{host}/{path}"),
            format!("https:/{host}/{path}"),
            format!("https:///{host}/{path}"),
            format!("https://org.crm4.dynamics.com@{host}/{path}"),
            format!("https://{host}#@org.crm4.dynamics.com/{path}"),
            format!("https://{host}?@org.crm4.dynamics.com/{path}"),
            format!("https://{host}\\@org.crm4.dynamics.com/{path}"),
        ] {
            assert!(pin.handed(&text).is_err(), "{text}");
            forms += 1;
        }
    }
    assert!(forms >= 200, "{forms}");
}

#[test]
fn a_path_of_our_own_never_names_a_host() {
    assert!(origin(DATAVERSE).own("https://org.crm4.dynamics.com/api/data/v9.2/contacts").is_err());
}

#[test]
fn an_address_is_shown_without_its_query() {
    let url = origin(DATAVERSE).own("contacts?$filter=emailaddress1 eq 'a@b.c'").unwrap();
    assert_eq!(format!("{url:?}"), "https://org.crm4.dynamics.com/api/data/v9.2/contacts");
}

#[test]
fn the_refusal_names_both_hosts() {
    let error = origin(DATAVERSE).handed("https://u:p@evil.example/x?token=1").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the URL is not of the configured system https://org.crm4.dynamics.com: another scheme, host or port (it names https://evil.example)"
    );
}

#[test]
fn what_is_stored_of_a_link_never_names_a_host() {
    let ours = origin("https://org.crm4.dynamics.com/");
    for text in ["https://org.crm4.dynamics.com//evil.example/x", "/a/..//evil.example/x"] {
        let error = ours.handed(text).unwrap_err();
        assert!(error.to_string().contains("a host of its own"), "{text}: {error}");
    }
    let inside = ours.handed("https://org.crm4.dynamics.com/a//b?c=//d").unwrap();
    assert_eq!(ours.handed(inside.path_and_query()), Ok(inside));
}

#[test]
fn no_address_of_our_own_is_shortened() {
    let ours = origin("https://mc.adobe.io/tenant/");
    for text in ["campaign/profile/..", "campaign/profile/.", "a/%2e%2E/b", "./a", "a/../b?c"] {
        assert!(ours.own(text).is_err(), "{text}");
    }
    for text in ["campaign/profile/...", "campaign/.a/b..", "a?b=/../", "?a"] {
        assert!(ours.own(text).is_ok(), "{text}");
    }
}
