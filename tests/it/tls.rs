//! Servers that are not who they should be, and names that lead nowhere: no
//! credential is sent, and the log says what is wrong.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use cdsync::sandbox::Variants;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::rig::Running;
use crate::stress_world::Everything;
use crate::support::{FIELDS, Setup, World, by_filter};

/// An authority of this test alone.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut root = CertificateParams::default();
        root.distinguished_name.push(rcgen::DnType::CommonName, name);
        root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().unwrap();
        let pem = root.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(root, key), pem }
    }

    /// The configuration of a server with such a certificate; none signed it
    /// where `ours` is false.
    fn server(&self, certificate: &CertificateParams, ours: bool) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let made = if ours {
            certificate.signed_by(&key, &self.issuer)
        } else {
            certificate.self_signed(&key)
        };
        let secret = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.unwrap().der().clone()], secret);
        Arc::new(config.unwrap())
    }
}

fn certificate(name: &str) -> CertificateParams {
    CertificateParams::new([name.to_owned()]).unwrap()
}

/// What answers in a server's place.
#[derive(Clone)]
enum Face {
    Tls(Arc<ServerConfig>),
    /// The same, and gives a token for whatever it is asked.
    Tokens(Arc<ServerConfig>),
    /// HTTP without TLS.
    Plain,
    /// Takes the connection and says nothing.
    Silent,
    /// Hears the greeting and hangs up.
    Deaf,
}

/// A server, and all that it was told after the handshake (of one that speaks
/// no TLS: all).
struct Impostor {
    port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Impostor {
    fn new(face: Face) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let all = Arc::clone(&heard);
        // It ends with the process of the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (face, all) = (face.clone(), Arc::clone(&all));
                std::thread::spawn(move || converse(&face, stream, &all));
            }
        });
        Self { port, heard }
    }

    fn origin(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().unwrap()).into_owned()
    }
}

/// What [`Face::Tokens`] gives.
const TOKEN: &str = r#"{"token_type":"Bearer","expires_in":3599,"access_token":"any"}"#;

/// Hears a request and refuses it.
fn converse(face: &Face, mut stream: TcpStream, heard: &Mutex<Vec<u8>>) {
    let mut some = [0; 4096];
    match face {
        Face::Tls(config) => {
            let connection = ServerConnection::new(Arc::clone(config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            if let Ok(length @ 1..) = stream.read(&mut some) {
                heard.lock().unwrap().extend_from_slice(&some[..length]);
                let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
            }
            // Until the other side goes.
            while let Ok(1..) = stream.read(&mut some) {}
        }
        Face::Tokens(config) => {
            let connection = ServerConnection::new(Arc::clone(config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            while let Ok(1..) = stream.read(&mut some) {
                let length = TOKEN.len();
                let above = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                let _ = stream.write_all(format!("{above}{TOKEN}").as_bytes());
            }
        }
        Face::Plain => {
            if let Ok(length) = stream.read(&mut some) {
                heard.lock().unwrap().extend_from_slice(&some[..length]);
            }
            // Who hung up needs no answer.
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        }
        Face::Silent => while let Ok(1..) = stream.read(&mut some) {},
        Face::Deaf => {
            if let Ok(length) = stream.read(&mut some) {
                heard.lock().unwrap().extend_from_slice(&some[..length]);
            }
        }
    }
}

/// A world whose Dynamics and identity service are said to be at an origin.
fn world(origin: &str, setup: Setup) -> World {
    let world = World::new(setup);
    let text = std::fs::read_to_string(world.path("config.toml")).unwrap();
    let (dynamics, rest) = text.split_once("[campaign]").unwrap();
    let dynamics = dynamics.replace(&world.sandbox.origin(), origin);
    std::fs::write(world.path("config.toml"), format!("{dynamics}[campaign]{rest}")).unwrap();
    world
}

/// A pass that trusts this authority beside none.
fn trusting(world: &World, authority: &str, arguments: &[&str]) -> std::process::Command {
    std::fs::write(world.path("authority.pem"), authority).unwrap();
    let mut command = world.command(arguments);
    command.env("SSL_CERT_FILE", world.path("authority.pem"));
    command
}

/// What is said of a system that cannot be trusted or found.
fn problem(authority: &str, origin: &str) -> (String, World) {
    let world = world(origin, Setup { contacts: 1, ..Setup::default() });
    let arguments = ["sync", "ingress", "--patience", "600"];
    let pass = Running::start(trusting(&world, authority, &arguments));
    let line = pass.wait_for("\"remote.unreachable\"");
    drop(pass);
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["system"], "dynamics", "{line}");
    assert!(world.writes().is_empty());
    (line["problem"].as_str().unwrap().to_owned(), world)
}

/// Such a server is told nothing, and the log says this of it.
#[track_caller]
fn refused(authority: &Authority, face: Face, says: &str) {
    let impostor = Impostor::new(face);
    let (problem, world) = problem(&authority.pem, &impostor.origin());
    assert!(problem.contains(says), "{problem}");
    let heard = impostor.heard();
    let secret = world.sandbox.credentials().dynamics_client_secret;
    assert!(!heard.contains("HTTP/1.1") && !heard.contains(&secret), "it was told: {heard}");
}

#[test]
fn a_certificate_of_a_trusted_authority_is_accepted() {
    let authority = Authority::new("one");
    let impostor = Impostor::new(Face::Tls(authority.server(&certificate("localhost"), true)));
    let world = world(&impostor.origin(), Setup { contacts: 1, ..Setup::default() });
    let arguments = ["sync", "ingress", "--patience", "600"];
    let ended = trusting(&world, &authority.pem, &arguments).output().unwrap();
    // It answers as no identity service does.
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    assert!(impostor.heard().starts_with("POST /"), "{}", impostor.heard());
}

#[test]
fn an_expired_certificate_is_refused() {
    let authority = Authority::new("one");
    let mut old = certificate("localhost");
    (old.not_before, old.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    let face = Face::Tls(authority.server(&old, true));
    refused(&authority, face, "certificate has expired, or the clock of this machine is wrong");
}

#[test]
fn a_certificate_that_is_not_valid_yet_is_refused() {
    let authority = Authority::new("one");
    let mut young = certificate("localhost");
    (young.not_before, young.not_after) = (date_time_ymd(2090, 1, 1), date_time_ymd(2091, 1, 1));
    let face = Face::Tls(authority.server(&young, true));
    refused(&authority, face, "certificate is not valid yet, or the clock of this machine");
}

#[test]
fn a_certificate_for_another_host_is_refused() {
    let authority = Authority::new("one");
    let face = Face::Tls(authority.server(&certificate("other.example"), true));
    refused(&authority, face, "certificate is for another name; check the address");
}

#[test]
fn a_certificate_that_nobody_signed_is_refused() {
    let authority = Authority::new("one");
    let face = Face::Tls(authority.server(&certificate("localhost"), false));
    refused(&authority, face, "no authority that this machine trusts has signed");
}

#[test]
fn a_certificate_of_an_authority_that_is_not_trusted_is_refused() {
    let (authority, other) = (Authority::new("one"), Authority::new("other"));
    let face = Face::Tls(other.server(&certificate("localhost"), true));
    refused(&authority, face, "no authority that this machine trusts has signed");
}

#[test]
fn a_server_without_tls_is_told_nothing() {
    refused(&Authority::new("one"), Face::Plain, "what answers there does not speak TLS");
}

#[test]
fn a_handshake_that_stands_still_is_given_up() {
    refused(&Authority::new("one"), Face::Silent, "timed out");
}

/// The versions of TLS that a greeting offers, by its extension
/// `supported_versions` (RFC 8446, 4.2.1); one without it offers its own.
fn offered(hello: &[u8]) -> Vec<u16> {
    let number = |at: usize| usize::from(hello[at]) << 8 | usize::from(hello[at + 1]);
    // Record, handshake, version, random.
    let mut at = 5 + 4 + 2 + 32;
    at += 1 + usize::from(hello[at]);
    at += 2 + number(at);
    at += 1 + usize::from(hello[at]);
    let end = at + 2 + number(at);
    at += 2;
    while at < end {
        let (kind, length) = (number(at), number(at + 2));
        if kind == 43 {
            let list = &hello[at + 5..at + 4 + length];
            return list.chunks(2).map(|it| u16::from_be_bytes([it[0], it[1]])).collect();
        }
        at += 4 + length;
    }
    vec![u16::from_be_bytes([hello[9], hello[10]])]
}

#[test]
fn no_tls_older_than_1_2_is_offered() {
    let impostor = Impostor::new(Face::Deaf);
    let (problem, _world) = problem(&Authority::new("one").pem, &impostor.origin());
    assert!(!problem.is_empty());
    let hello = impostor.heard.lock().unwrap().clone();
    let mut versions = offered(&hello);
    versions.sort_unstable();
    assert_eq!(versions, [0x0303, 0x0304], "{hello:x?}");
}

/// Lines of a configuration that say where a host is, and whether it proves to be
/// that one.
type Hosts = fn(&Everything) -> Vec<(String, bool)>;

fn key(name: &str, url: &str) -> String {
    format!("\n{name} = \"{url}\"\n")
}

/// A host has another's certificate, those that give tokens have their own: its
/// system is named, and it is told nothing.
async fn of_one_host(hosts: Hosts, system: &str) {
    let world = Everything::start(1).await;
    let authority = Authority::new("one");
    let tls = |name: &str| authority.server(&certificate(name), true);
    let impostor = Impostor::new(Face::Tls(tls("other.example")));
    let honest = Impostor::new(Face::Tokens(tls("localhost")));
    let config = world.rig.path("config.toml");
    let mut text = std::fs::read_to_string(&config).unwrap();
    for (line, proves) in hosts(&world) {
        assert_eq!(text.matches(&line).count(), 1, "{line} in {text}");
        let origin = if proves { honest.origin() } else { impostor.origin() };
        text = text.replace(&line, &line.replace(&world.rig.sandbox.origin(), &origin));
    }
    std::fs::write(&config, text).unwrap();
    std::fs::write(world.rig.path("authority.pem"), &authority.pem).unwrap();
    let mut pass = world.rig.command(&["--log-format", "json", "sync", "--patience", "600"]);
    pass.env_remove("SSL_CERT_DIR").env("SSL_CERT_FILE", world.rig.path("authority.pem"));
    let pass = Running::start(pass);
    let told = pass.wait_for("\"remote.unreachable\"");
    drop(pass);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["system"], system, "{told}");
    let problem = told["problem"].as_str().unwrap();
    assert!(problem.contains("certificate is for another name; check the address"), "{told}");
    assert_eq!(impostor.heard(), "", "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_host_has_to_prove_who_it_is_whatever_the_others_do() {
    fn dynamics(world: &Everything, proves: bool) -> Vec<(String, bool)> {
        let origin = world.rig.sandbox.origin();
        let api = format!("[dynamics]{}", key("url", &origin));
        vec![(api, false), (key("authority_url", &origin), proves)]
    }
    fn campaign(world: &Everything, proves: bool) -> Vec<(String, bool)> {
        let (origin, api) = (world.rig.sandbox.origin(), world.rig.sandbox.campaign_url());
        vec![(key("url", &api), false), (key("ims_url", &origin), proves)]
    }
    of_one_host(|it| dynamics(it, false), "dynamics").await;
    of_one_host(|it| dynamics(it, true), "dynamics").await;
    of_one_host(|it| campaign(it, false), "campaign").await;
    of_one_host(|it| campaign(it, true), "campaign").await;
    let journal: Hosts = |it| vec![(key("url", &it.rig.sandbox.journal().url()), false)];
    of_one_host(journal, "journal").await;
}

#[test]
fn a_name_that_does_not_exist_is_said_to_be_unknown() {
    let (problem, _world) = problem(&Authority::new("one").pem, "https://nowhere.invalid");
    assert!(problem.contains("the name cannot be resolved; check the address"), "{problem}");
}

#[test]
fn check_names_the_system_and_what_is_wrong_with_it() {
    let authority = Authority::new("one");
    let face = Face::Tls(authority.server(&certificate("other.example"), true));
    let impostor = Impostor::new(face);
    let tables = by_filter("", FIELDS);
    let setup = Setup { contacts: 1, tables, variants: Variants::default(), ..Setup::default() };
    let world = world(&impostor.origin(), setup);
    let output = trusting(&world, &authority.pem, &["check", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let problems: Vec<_> = found["problems"].as_array().unwrap().iter().collect();
    let of = |place: &str| problems.iter().filter(|it| it["where"] == place).count();
    assert_eq!((of("dynamics"), of("campaign")), (1, 0), "{found}");
    let text = problems[0]["problem"].as_str().unwrap();
    assert!(text.contains("certificate is for another name"), "{text}");
    assert_eq!(impostor.heard(), "");
}
