//! Every way to prove who we are, against look-alikes that check it.

use std::os::unix::fs::PermissionsExt as _;

use cdsync::sandbox::{Fault, FaultRule, System};

use crate::support::{Setup, World, by_filter};

const ONE_FIELD: &str = "fields = [ { from = \"lastname\", to = \"lastName\" } ]\n";

fn world() -> World {
    World::new(Setup { contacts: 8, tables: by_filter("", ONE_FIELD), ..Setup::default() })
}

/// Exchanges a line of the configuration.
fn reconfigure(world: &World, from: &str, to: &str) {
    let path = world.path("config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let line = text.lines().find(|line| line.starts_with(from)).unwrap().to_owned();
    std::fs::write(path, text.replacen(&line, to, 1)).unwrap();
}

#[test]
fn a_certificate_takes_the_place_of_the_secret() {
    let world = world();
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048)
        .unwrap();
    let certificate =
        rcgen::CertificateParams::new(Vec::<String>::new()).unwrap().self_signed(&key).unwrap();
    world.sandbox.register_certificate(&certificate.pem()).unwrap();
    world.secret("app.pem", &format!("{}{}", key.serialize_pem(), certificate.pem()));
    reconfigure(
        &world,
        "client_secret",
        &format!("certificate = {{ file = \"{}\" }}", world.path("app.pem").display()),
    );
    assert_eq!(world.synced().written, 8);
}

#[test]
fn an_unknown_certificate_is_refused_without_a_request_to_dynamics() {
    let world = world();
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048)
        .unwrap();
    let certificate =
        rcgen::CertificateParams::new(Vec::<String>::new()).unwrap().self_signed(&key).unwrap();
    world.secret("app.pem", &format!("{}{}", key.serialize_pem(), certificate.pem()));
    reconfigure(
        &world,
        "client_secret",
        &format!("certificate = {{ file = \"{}\" }}", world.path("app.pem").display()),
    );
    let run = world.sync().ends(3);
    assert!(!run.events("auth.refused").is_empty(), "{}", run.stderr);
    assert_eq!(world.asked(System::Dynamics).len(), 0);
}

#[test]
fn a_resource_owners_password_works_beside_the_secret() {
    let world = world();
    let known = world.sandbox.credentials();
    world.secret("password", &known.password);
    let secret = format!(
        "client_secret = {{ file = \"{}\" }}\nusername = \"{}\"\npassword = {{ file = \"{}\" }}",
        world.path("dynamics-secret").display(),
        known.username,
        world.path("password").display(),
    );
    reconfigure(&world, "client_secret", &secret);
    assert_eq!(world.synced().written, 8);
}

#[test]
fn secrets_come_from_the_environment_and_from_systemd_credentials() {
    let world = world();
    let known = world.sandbox.credentials();
    reconfigure(&world, "client_secret", "client_secret = { env = \"DYNAMICS_SECRET\" }");
    let path = world.path("config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, tail) = text.split_once("[campaign]").unwrap();
    let line = tail.lines().find(|line| line.starts_with("client_secret")).unwrap().to_owned();
    let tail = tail.replacen(&line, "client_secret = { credential = \"campaign\" }", 1);
    std::fs::write(&path, format!("{head}[campaign]{tail}")).unwrap();
    std::fs::create_dir(world.path("credentials")).unwrap();
    world.secret("credentials/campaign", &format!("{}\n", known.campaign_client_secret));
    let status = world
        .command(&["sync", "ingress"])
        .env("DYNAMICS_SECRET", &known.dynamics_client_secret)
        .env("CREDENTIALS_DIRECTORY", world.path("credentials"))
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
    assert_eq!(world.sandbox.campaign().count("profile"), 8);
}

#[test]
fn a_secret_file_that_others_may_read_is_refused_before_anything_is_sent() {
    let world = world();
    let file = world.path("campaign-secret");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let run = world.run(&["sync", "ingress"]).ends(2);
    assert!(run.stderr.contains("campaign.client_secret"), "{}", run.stderr);
    assert!(world.sandbox.requests().entries().is_empty());
}

#[test]
fn one_token_serves_all_workers_and_a_revoked_one_is_replaced_once() {
    let world =
        World::new(Setup { contacts: 40, tables: by_filter("", ONE_FIELD), ..Setup::default() });
    world.play(FaultRule {
        system: Some(System::Campaign),
        method: Some("POST".into()),
        after: Some(10),
        times: Some(1),
        ..FaultRule::always(Fault::ExpiredToken)
    });
    assert_eq!(world.synced().written, 40);
    let log = world.sandbox.requests();
    assert_eq!((log.count(System::Entra), log.count(System::Ims)), (1, 2));
}

#[test]
fn a_wrong_secret_is_tried_once_and_named() {
    let world = world();
    world.secret("campaign-secret", "not-the-secret");
    let run = world.sync().ends(3);
    let refused = run.event("auth.refused");
    assert_eq!(refused["system"], "campaign");
    assert!(!run.stderr.contains("not-the-secret"));
    assert_eq!(world.sandbox.requests().count(System::Ims), 1);
}
