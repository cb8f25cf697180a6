//! The bare client: reads the same pages and sends the same bodies, with no
//! store, no decisions and no retries. The least that any program needs.

pub(crate) mod timeline;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::{Result, Sandbox};

const COLUMNS: &str = "contactid,firstname,lastname,emailaddress1,gendercode,birthdate,anniversary,createdon,donotbulkemail,donotphone,new_points,new_rating,new_score,new_revenue,new_localtime,new_token,new_vip,description";

/// What the client needs of the configuration.
pub(crate) struct Access {
    http: reqwest::Client,
    dynamics: String,
    campaign: String,
    api_key: String,
    organization: String,
    origin: String,
    journal: String,
    first_page: String,
    post: String,
}

impl Access {
    /// Asks for both tokens.
    pub(crate) async fn obtain(sandbox: &Sandbox) -> Result<Self> {
        let text = std::fs::read_to_string(sandbox.directory.path().join("written.toml"))?;
        let config: Value = toml::from_str::<toml::Table>(&text).map(serde_json::to_value)??;
        let text = |section: &str, key: &str| -> String {
            config[section][key].as_str().unwrap_or_default().to_owned()
        };
        let secret = |section: &str| -> Result<String> {
            let file = config[section]["client_secret"]["file"].as_str().unwrap_or_default();
            Ok(std::fs::read_to_string(file)?)
        };
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .pool_max_idle_per_host(64)
            .build()?;
        let origin = &sandbox.origin;
        let token = async |url: String, client: String, secret: String, scope: String| {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            form.append_pair("grant_type", "client_credentials")
                .append_pair("client_id", &client)
                .append_pair("client_secret", &secret)
                .append_pair("scope", &scope);
            let reply = http
                .post(url)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form.finish())
                .send()
                .await?
                .bytes()
                .await?;
            let reply: Value = serde_json::from_slice(&reply)?;
            let token = reply["access_token"].as_str().ok_or("no token")?;
            Result::<String>::Ok(format!("Bearer {token}"))
        };
        let dynamics = token(
            format!("{origin}/{}/oauth2/v2.0/token", text("dynamics", "tenant")),
            text("dynamics", "client_id"),
            secret("dynamics")?,
            format!("{origin}/.default"),
        )
        .await?;
        let campaign = token(
            format!("{origin}/ims/token/v3"),
            text("campaign", "client_id"),
            secret("campaign")?,
            "AdobeID,openid,campaign_sdk".to_owned(),
        )
        .await?;
        Ok(Self {
            dynamics,
            campaign,
            api_key: text("campaign", "client_id"),
            organization: text("campaign", "organization_id"),
            origin: origin.clone(),
            journal: config["egress"]["journal"]["url"].as_str().unwrap_or_default().to_owned(),
            first_page: format!("{origin}/api/data/v9.2/contacts?$select={COLUMNS}"),
            post: format!("{}/campaign/profileAndServicesExt/profile", text("campaign", "url")),
            http,
        })
    }

    async fn page(&self, link: &str) -> Result<(String, Option<String>)> {
        let reply = self
            .http
            .get(link)
            .header("authorization", &self.dynamics)
            .header("accept", "application/json")
            .header("odata-version", "4.0")
            .header("odata-maxversion", "4.0")
            .header("prefer", "odata.track-changes,odata.maxpagesize=1000")
            .send()
            .await?;
        if !reply.status().is_success() {
            return Err(format!("{} for a page", reply.status()).into());
        }
        let body = reply.text().await?;
        let next = body
            .rsplit_once("\"@odata.nextLink\":\"")
            .and_then(|(_, rest)| rest.split_once('"').map(|(link, _)| link.to_owned()));
        Ok((body, next))
    }

    /// The bodies of all contacts, made before anything is measured.
    pub(crate) async fn bodies(&self) -> Result<Vec<String>> {
        let mut bodies = Vec::new();
        let mut link = Some(self.first_page.clone());
        while let Some(at) = link {
            let (page, next) = self.page(&at).await?;
            let page: Value = serde_json::from_str(&page)?;
            for row in page["value"].as_array().into_iter().flatten() {
                bodies.push(body(row));
            }
            link = next;
        }
        Ok(bodies)
    }

    /// Reads all pages and posts all bodies, not faster than `rate` a second;
    /// the time it took.
    pub(crate) async fn push(
        self,
        bodies: Vec<String>,
        workers: u64,
        rate: Option<u64>,
    ) -> Result<Duration> {
        let shared = Arc::new(self);
        let began = Instant::now();
        let (send, receive) = mpsc::channel::<String>(10_000);
        let receive = Arc::new(tokio::sync::Mutex::new(receive));
        let posted = Arc::new(AtomicU64::new(0));
        let rate = rate.map(|rate| u32::try_from(rate).unwrap_or(u32::MAX));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..workers {
            let (shared, receive) = (Arc::clone(&shared), Arc::clone(&receive));
            let posted = Arc::clone(&posted);
            tasks.spawn(async move {
                loop {
                    let (body, turn) = {
                        let mut receive = receive.lock().await;
                        let Some(body) = receive.recv().await else {
                            return Ok::<(), reqwest::Error>(());
                        };
                        let turn = posted.fetch_add(1, Ordering::Relaxed);
                        (body, rate.map(|rate| began + Duration::from_secs(turn) / rate))
                    };
                    if let Some(turn) = turn {
                        tokio::time::sleep_until(turn.into()).await;
                    }
                    shared.post(body).await?;
                }
            });
        }
        let mut bodies = bodies.into_iter();
        let mut link = Some(shared.first_page.clone());
        while let Some(at) = link {
            let (page, next) = shared.page(&at).await?;
            for _ in 0..page.matches("\"@odata.etag\"").count() {
                if let Some(body) = bodies.next() {
                    send.send(body).await?;
                }
            }
            link = next;
        }
        drop(send);
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(began.elapsed())
    }

    async fn post(&self, body: String) -> std::result::Result<(), reqwest::Error> {
        let reply = self
            .http
            .post(&self.post)
            .header("authorization", &self.campaign)
            .header("x-api-key", &self.api_key)
            .header("content-type", "application/json;charset=utf-8")
            .body(body)
            .send()
            .await?
            .error_for_status()?;
        reply.bytes().await.map(drop)
    }

    /// The fields that were mapped, of the profile with this key.
    pub(crate) async fn profile(&self, key: &str) -> Result<Map<String, Value>> {
        let link = format!("{}/byExternalId?externalId_parameter={key}", self.post);
        let reply = self
            .http
            .get(link)
            .header("authorization", &self.campaign)
            .header("x-api-key", &self.api_key)
            .send()
            .await?
            .text()
            .await?;
        let mut reply: Value = serde_json::from_str(&reply)?;
        let profile = reply["content"][0].as_object_mut().ok_or("no such profile")?;
        Ok(std::mem::take(profile))
    }
}

/// The body for a row, written from the meaning of the mapping.
fn body(row: &Value) -> String {
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    let cut = |name: &str, most: usize| -> String { text(name).chars().take(most).collect() };
    let moment = |name: &str| text(name).replace('T', " ").replace('Z', ".000Z");
    let number = |name: &str| if row[name].is_null() { json!(0) } else { row[name].clone() };
    let flag = |name: &str| row[name].as_bool().unwrap_or(false);
    let gender = match row["gendercode"].as_i64() {
        Some(1) => "male",
        Some(2) => "female",
        _ => "unknown",
    };
    json!({
        "externalId": text("contactid"),
        "firstName": cut("firstname", 30),
        "lastName": text("lastname"),
        "email": text("emailaddress1"),
        "gender": gender,
        "birthDate": text("birthdate"),
        "cusAnniversary": text("anniversary"),
        "cusCustomerSince": moment("createdon"),
        "blackListEmail": flag("donotbulkemail"),
        "blackListPhone": flag("donotphone"),
        "cusPoints": number("new_points"),
        "cusRating": number("new_rating"),
        "cusScore": number("new_score"),
        "cusRevenue": number("new_revenue"),
        "cusLocalTime": moment("new_localtime"),
        "cusToken": text("new_token"),
        "cusVip": flag("new_vip"),
        "cusNote": text("description"),
    })
    .to_string()
}

/// The keys in bodies.
pub(crate) fn key(body: &str) -> String {
    let body: HashMap<String, Value> = serde_json::from_str(body).unwrap_or_default();
    body.get("externalId").and_then(Value::as_str).unwrap_or_default().to_owned()
}
