//! The pages under `/_sandbox`, as a browser asks for them.

use cdsync::sandbox::{Sandbox, SandboxOptions, System};
use serde_json::json;
use uuid::Uuid;

use crate::sandbox::{Got, client, form, send};

const SCRIPT: &str = "<script>alert(\"x\")</script><img src=x onerror=alert(1)>";

struct Browser {
    sandbox: Sandbox,
    http: reqwest::Client,
}

impl Browser {
    async fn with(contacts: usize) -> Self {
        let options = SandboxOptions { contacts, ..SandboxOptions::default() };
        Self { sandbox: Sandbox::start(options).await.unwrap(), http: client() }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.origin())
    }

    /// A page; it must be one that loads nothing, runs nothing and leads
    /// nowhere else.
    #[track_caller]
    fn checked(got: Got, path: &str) -> String {
        assert_eq!(got.status, 200, "{path}: {}", got.text);
        assert!(got.header("content-type").starts_with("text/html"), "{path}");
        assert!(got.header("content-security-policy").contains("default-src 'none'"), "{path}");
        let page = got.text;
        assert!(!page.contains("<script") && !page.contains("<img"), "{path}: {page}");
        for (attribute, begin) in [("href=\"", "/_sandbox"), ("action=\"", "/_sandbox")] {
            for rest in page.split(attribute).skip(1) {
                assert!(rest.starts_with(begin), "{path}: {}", rest.get(..60).unwrap_or(rest));
            }
        }
        for loading in ["<link", "<iframe", "<object", "@import", "url("] {
            assert!(!page.contains(loading), "{path}: {loading}");
        }
        page
    }

    async fn page(&self, path: &str) -> String {
        let request = self.http.get(self.url(path)).header("accept", "text/html,*/*;q=0.8");
        Self::checked(send(request).await, path)
    }

    async fn submit(&self, what: &str, fields: &[(&str, &str)]) -> Got {
        let request = self.http.post(self.url(&format!("/_sandbox/do/{what}")));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        send(request.header("origin", self.sandbox.origin()).body(form(fields))).await
    }

    async fn token(&self) -> String {
        let page = self.page("/_sandbox/settings").await;
        let (_, rest) = page.split_once("name=token value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }
}

#[tokio::test]
async fn what_a_row_holds_is_text_on_every_page() {
    let browser = Browser::with(0).await;
    let (dynamics, campaign) = (browser.sandbox.dynamics(), browser.sandbox.campaign());
    // Names have 50 characters at most.
    let name = "<script>alert(2)</script>";
    let row = json!({"firstname": "\"'>", "lastname": name, "donotbulkemail": true});
    let id = dynamics.insert("contact", &row).unwrap();
    let owner = format!("/contacts({id})");
    let vehicle = json!({"new_name": SCRIPT, "new_ContactId@odata.bind": owner});
    dynamics.insert("new_vehicle", &vehicle).unwrap();
    let opened = json!({
        "subject": SCRIPT, "new_campaignname": SCRIPT, "new_eventdate": "2026-03-01T06:00:00Z",
        "regardingobjectid_contact_new_campaignemailopen@odata.bind": owner,
    });
    dynamics.insert("new_campaignemailopen", &opened).unwrap();
    let profile = json!({"externalId": id.to_string(), "lastName": name, "email": SCRIPT});
    campaign.insert("profile", &profile).unwrap();
    browser.sandbox.journal().add(&[json!({"type": SCRIPT, "x": SCRIPT})]);
    let strange = browser.url("/api/data/v9.2/contacts?$filter=%3Cscript%3E<script>'\"");
    send(browser.http.get(strange)).await;

    let escaped = "&lt;script&gt;alert(";
    let record = format!("/_sandbox/dynamics/contact/{id}");
    for path in [
        "/_sandbox/dynamics/contact",
        "/_sandbox/dynamics/new_vehicle",
        record.as_str(),
        "/_sandbox/campaign/profile",
        "/_sandbox/campaign/profile/1",
        "/_sandbox/optouts",
        "/_sandbox/journal",
    ] {
        let page = browser.page(path).await;
        assert!(page.contains(escaped), "{path}: {page}");
    }
    for path in ["/_sandbox", "/_sandbox/calls", "/_sandbox/settings"] {
        browser.page(path).await;
    }
    let wanted = format!("/_sandbox/dynamics/contact?q={}", "%22%3E%3Cscript%3Ealert(");
    assert!(browser.page(&wanted).await.contains("value=\"&quot;&gt;&lt;script&gt;alert("));
}

#[tokio::test]
async fn a_contacts_page_has_its_timeline_its_profile_and_both_sides_opt_outs() {
    let browser = Browser::with(0).await;
    let (dynamics, campaign) = (browser.sandbox.dynamics(), browser.sandbox.campaign());
    let ada = json!({"firstname": "Ada", "lastname": "Lovelace", "donotbulkemail": true});
    let id = dynamics.insert("contact", &ada).unwrap();
    let owner = format!("/contacts({id})");
    for (kind, time) in [("send", "2026-03-01T06:00:00Z"), ("open", "2026-03-02T06:00:00Z")] {
        let table = format!("new_campaignemail{kind}");
        let row = json!({
            "subject": format!("{kind} it"), "new_campaignname": "Spring", "new_eventdate": time,
            format!("regardingobjectid_contact_{table}@odata.bind"): owner,
        });
        dynamics.insert(&table, &row).unwrap();
    }
    let vehicle = json!({"new_name": "Enterprise", "new_ContactId@odata.bind": owner});
    dynamics.insert("new_vehicle", &vehicle).unwrap();
    let profile = json!({"externalId": id.to_string(), "firstName": "Ada", "lastName": "King"});
    campaign.insert("profile", &profile).unwrap();

    let page = browser.page(&format!("/_sandbox/dynamics/contact/{id}")).await;
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("no {text} in {page}"));
    assert!(place("open it") < place("send it"), "the latest first");
    for text in ["2026-03-02T06:00:00Z", "Spring", "Enterprise", "Ada King", "blackListEmail"] {
        place(text);
    }
    assert_eq!(page.matches("opted out").count(), 1, "{page}");
    let optouts = browser.page("/_sandbox/optouts").await;
    assert!(optouts.contains("differs: donotbulkemail"), "{optouts}");
    let flag = json!({"blackListEmail": true});
    campaign.update("profile", "lastName", "King", &flag).unwrap();
    let optouts = browser.page("/_sandbox/optouts").await;
    assert!(!optouts.contains("differs"), "{optouts}");
    let timeline =
        send(browser.http.get(browser.url(&format!("/_sandbox/api/timeline/{id}")))).await;
    let timeline = timeline.json();
    assert_eq!(timeline[0]["subject"], "open it");
    assert_eq!(timeline[1]["details"]["new_campaignname"], "Spring");
    assert_eq!(timeline.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn lists_have_pages_and_can_be_searched() {
    let browser = Browser::with(120).await;
    let links = |page: &str| page.matches("<td><a href=\"/_sandbox/dynamics/contact/").count();
    let first = browser.page("/_sandbox/dynamics/contact").await;
    assert_eq!(links(&first), 50);
    assert!(first.contains("120") && first.contains("page=1"), "{first}");
    let last = browser.page("/_sandbox/dynamics/contact?page=2").await;
    assert_eq!(links(&last), 20);
    assert!(last.contains("page=1") && !last.contains("page=3"), "{last}");
    let id = browser.sandbox.dynamics().ids("contact")[77];
    let found = browser.page(&format!("/_sandbox/dynamics/contact?q={id}")).await;
    assert_eq!(links(&found), 1);
    assert!(found.contains(&id.to_string()));
    let overview = browser.page("/_sandbox").await;
    assert!(overview.contains("new_servicevisit") && overview.contains("60"), "{overview}");
    for path in ["dynamics/nothing", "campaign/nothing", "dynamics/contact/7", "x", "do/x"] {
        let got = send(browser.http.get(browser.url(&format!("/_sandbox/{path}")))).await;
        assert_eq!(got.status, 404, "{path}");
    }
}

#[tokio::test]
async fn forms_do_what_they_say() {
    let browser = Browser::with(0).await;
    let token = browser.token().await;
    let dynamics = browser.sandbox.dynamics();
    let got = browser
        .submit("add-contact", &[("token", &token), ("firstname", "Ada"), ("lastname", "Byron")])
        .await;
    assert_eq!(got.status, 303, "{}", got.text);
    let page = browser.page(got.header("location")).await;
    assert!(page.contains("Ada Byron"), "{page}");
    let id: Uuid = dynamics.ids("contact")[0];

    let plan = "[[rule]]\r\nsystem = \"dynamics\"\r\nfault = { kind = \"status\", code = 503 }\r\n";
    assert_eq!(browser.submit("faults", &[("token", &token), ("plan", plan)]).await.status, 303);
    let refused = send(browser.http.get(browser.url("/api/data/v9.2/WhoAmI"))).await;
    assert_eq!(refused.status, 503);
    let settings = browser.page("/_sandbox/settings").await;
    assert!(settings.contains("&quot;code&quot;:503"), "{settings}");
    let wrong = browser.submit("faults", &[("token", &token), ("plan", "[[rule]]\nx = 1")]).await;
    assert!(wrong.status == 400 && wrong.text.contains("unknown field"), "{}", wrong.text);
    assert_eq!(browser.submit("faults", &[("token", &token), ("plan", "")]).await.status, 303);
    let free = send(browser.http.get(browser.url("/api/data/v9.2/WhoAmI"))).await;
    assert_eq!(free.status, 401);

    let calls = browser.page("/_sandbox/calls?system=dynamics&status=5xx").await;
    assert!(calls.contains("WhoAmI") && calls.contains("status</span>"), "{calls}");
    let set = [("token", token.as_str()), ("delta-expired", "410"), ("rate-limits", "true")];
    assert_eq!(browser.submit("variants", &set).await.status, 303);
    assert!(browser.page("/_sandbox").await.contains("delta-expired"));
    let wrong = browser.submit("variants", &[("token", &token), ("delta-expired", "5")]).await;
    assert!(wrong.status == 400 && wrong.text.contains("takes 400, 410"), "{}", wrong.text);

    assert_eq!(browser.submit("clear-log", &[("token", &token)]).await.status, 303);
    assert_eq!(browser.sandbox.requests().count(System::Dynamics), 0);
    let what = format!("dynamics/contact/{id}");
    let gone = browser.submit("delete", &[("token", &token), ("what", &what)]).await;
    assert_eq!((gone.status, dynamics.count("contact")), (303, 0));
}

#[tokio::test]
async fn no_page_of_another_site_can_act_or_read() {
    let browser = Browser::with(1).await;
    for token in ["", "0"] {
        let got = browser.submit("clear-log", &[("token", token)]).await;
        assert_eq!(got.status, 403, "{}", got.text);
    }
    let token = browser.token().await;
    let post = |path: &str| browser.http.post(browser.url(path));
    let body = form(&[("token", &token)]);
    let foreign = post("/_sandbox/do/clear-log").header("origin", "http://evil.example");
    assert_eq!(send(foreign.body(body)).await.status, 403);
    for path in ["/_sandbox/clock", "/_sandbox/journal", "/_sandbox/api/expire-tokens"] {
        let foreign = post(path).header("origin", "http://evil.example").body("{}");
        assert_eq!(send(foreign).await.status, 403, "{path}");
    }
    // A name of somebody's that leads here.
    let rebound = browser.http.get(browser.url("/_sandbox")).header("host", "evil.example");
    assert_eq!(send(rebound).await.status, 403);
}
