//! What the rendered problems show, and what they never show.

use super::{BASE, TABLE, problems, with};
use crate::config::load;

fn rendered(text: &str) -> String {
    let shown = load(text).map(|_| ()).unwrap_err().render(text, "cdsync.toml", false);
    shown.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_problem_is_shown_with_its_line_a_caret_and_the_remedy() {
    insta::assert_snapshot!(rendered(&with("", "").replace("fields", "apply_delete = true\nfields")), @r##"
    error: unknown key `apply_delete`
      --> cdsync.toml:17:1
       |
    17 | apply_delete = ***
       | ^^^^^^^^^^^^ ingress.table[0].apply_delete
       |
       = help: did you mean `apply_deletes`?
    "##);
    insta::assert_snapshot!(rendered(&with("mc.adobe.io/contoso", "mc.adobe.io")), @r##"
    error: the tenant is missing
     --> cdsync.toml:7:7
      |
    7 | url = "https://mc.adobe.io"
      |       ^^^^^^^^^^^^^^^^^^^^^ campaign.url
      |
      = help: append it, as in `https://mc.adobe.io/contoso` or, for stage, `https://mc.adobe.io/contoso-mkt-stage`
    "##);
}

#[test]
fn a_plain_secret_is_refused_with_the_three_forms_and_never_shown() {
    let form = "{ env = \"DYNAMICS_SECRET\" }";
    insta::assert_snapshot!(problems(&with(form, "\"hunter2\"")), @r##"5:17: dynamics.client_secret: a secret may not stand in the file (write `client_secret = { credential = "NAME" }` (a systemd credential), `{ env = "NAME" }` or `{ file = "PATH" }`)"##);
    insta::assert_snapshot!(rendered(&with(form, "\"hunter2\" # hunter2, too")), @r##"
    error: a secret may not stand in the file
     --> cdsync.toml:5:17
      |
    5 | client_secret = ***
      |                 ^^^ dynamics.client_secret
      |
      = help: write `client_secret = { credential = "NAME" }` (a systemd credential), `{ env = "NAME" }` or `{ file = "PATH" }`
    "##);
    insta::assert_snapshot!(problems(&with(form, "{ env = \"hunter 2\" }")), @r##"5:25: dynamics.client_secret.env: this is not the name of an environment variable (letters, digits and underscores, as in `{ env = "DYNAMICS_SECRET" }`)"##);
    insta::assert_snapshot!(problems(&with(form, "{ credential = \"a/b\" }")), @r##"5:32: dynamics.client_secret.credential: this is not the name of a systemd credential (the name in the unit's `LoadCredential=`: one file name, without `/`)"##);
    insta::assert_snapshot!(problems(&with(form, "{ credential = \"a\", env = \"b\" }")), @r##"5:17: dynamics.client_secret: a secret has exactly one place (write `client_secret = { credential = "NAME" }` (a systemd credential), `{ env = "NAME" }` or `{ file = "PATH" }`)"##);
    insta::assert_snapshot!(problems(&with(form, "{}")), @r##"5:17: dynamics.client_secret: a secret has exactly one place (write `client_secret = { credential = "NAME" }` (a systemd credential), `{ env = "NAME" }` or `{ file = "PATH" }`)"##);
    insta::assert_snapshot!(problems(&with(form, "{ envv = \"A\" }")), @r##"5:19: dynamics.client_secret.envv: unknown key `envv` (did you mean `env`?)"##);
}

#[test]
fn no_way_to_write_a_secret_into_the_file_lets_it_be_shown() {
    let pem = "-----BEGIN\nhunter2\n-----END";
    let form = "client_secret = { env = \"DYNAMICS_SECRET\" }";
    let lines = [
        "client_secret = \"hunter2\"".to_owned(),
        "client_secret = 'hunter2'".to_owned(),
        "client_secret = [\"hunter2\"]".to_owned(),
        "client_secret = { text = \"hunter2\" }".to_owned(),
        "client_secret = { text = { hunter = \"hunter2\" } }".to_owned(),
        "client_secret = { env = \"hunter2!\" }".to_owned(),
        "client_secret = { credential = \"/hunter2\" }".to_owned(),
        "client_secret = { file = \"\\u0000hunter2\" }".to_owned(),
        "client_secrt = \"hunter2\"".to_owned(),
        "api_key = \"hunter2\"".to_owned(),
        "certificate.text = \"hunter2\"".to_owned(),
        "username = \"a\"\npassword = \"hunter2\"".to_owned(),
        format!("certificate = \"\"\"\n{pem}\n\"\"\""),
        format!("certificate = \"\"\"{pem}\"\"\"\ntenant = 5"),
        // Broken syntax: no tree tells what is what.
        "client_secret = \"hunter2".to_owned(),
        "client_secret = hunter2".to_owned(),
        "client_secret: \"hunter2\"".to_owned(),
        "client_secret \"hunter2\"".to_owned(),
        format!("certificate = \"\"\"\n{pem}\nhunter2 = ="),
        format!("certificate = \"{pem}\""),
        format!("private_key =\n{pem}"),
        format!("x = \"\"\"\n{pem}\nhunter2 = "),
        "\"client_secret\" = hunter2".to_owned(),
        "client_secret = { text = hunter2 }".to_owned(),
        "url = \"https://user:hunter2@h/\"".to_owned(),
        "authority_url = \"https://user:hunter2@h/\"".to_owned(),
        "authority_url = \"user:hunter2@h/\"".to_owned(),
        "authority_url = \"https://h/?token=hunter2\"".to_owned(),
        "authority_url = [\"https://user:hunter2@h/\"]".to_owned(),
    ];
    for line in lines {
        for text in [
            with(form, &line),
            format!("{BASE}{TABLE}").replace("path =", &format!("{line}\npath =")),
        ] {
            let found = load(&text).map(|_| ()).unwrap_err();
            for colour in [false, true] {
                let shown = found.render(&text, "cdsync.toml", colour);
                assert!(!shown.contains("hunter2"), "{line}:\n{shown}");
            }
            assert!(!found.to_string().contains("hunter2"), "{line}:\n{found}");
        }
    }
}

#[test]
fn sections_that_are_wrong_keep_their_secrets_too() {
    let text = with(
        "[[ingress.table]]",
        "[campaign.sftp]\nprivate_key = \"hunter2\"\n[optout]\nfilter = \"hunter2\"\n[[ingress.table]]",
    );
    let shown = rendered(&text);
    assert!(!shown.contains("hunter2"), "{shown}");
}

proptest::proptest! {
    #[test]
    fn no_damage_to_a_file_makes_checking_or_rendering_panic(
        from in 0_usize..900, length in 0_usize..40, put in "[\\[\\]{}=\"'a\n\r#.,5é]{0,6}",
    ) {
        let mut text = crate::config::annotated(&crate::config::Example::default());
        let start = (0..=from.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let end = (start + length..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        text.replace_range(start..end, &put);
        if let Err(found) = load(&text) {
            proptest::prop_assert!(found.len() > 0);
            let _ = found.render(&text, "cdsync.toml", true);
        }
    }
}
