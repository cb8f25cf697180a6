//! Tests of [`super`]: where secrets come from, and what is shown of them.

use super::*;

fn file(content: &[u8], mode: u32) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    (directory, path)
}

fn load(content: &[u8], mode: u32) -> Result<String, String> {
    let (_directory, path) = file(content, mode);
    let place = path.display().to_string();
    SecretSource::File(path)
        .load()
        .map(|secret| secret.expose().to_owned())
        .map_err(|error| error.to_string().replace(&place, "PATH"))
}

#[test]
fn one_trailing_newline_of_a_file_is_ignored() {
    assert_eq!(load(b"s3cret\n", 0o600).unwrap(), "s3cret");
    assert_eq!(load(b"s3cret", 0o400).unwrap(), "s3cret");
    assert_eq!(load(b"s3cret\r\n", 0o600).unwrap(), "s3cret");
    assert_eq!(load(b"a\nb\n\n", 0o600).unwrap(), "a\nb\n");
}

#[test]
fn a_file_that_others_may_read_is_refused_with_the_remedy() {
    for mode in [0o640, 0o604, 0o660, 0o610] {
        let error = load(b"s3cret", mode).unwrap_err();
        assert_eq!(
            error,
            format!(
                "the file `PATH` may be read by others (mode {mode:03o}); run `chmod 600 PATH`"
            )
        );
    }
}

#[test]
fn empty_large_binary_absent_and_odd_files_are_refused_without_their_content() {
    assert!(load(b"\n", 0o600).unwrap_err().contains("is empty"));
    assert!(load(b"", 0o600).unwrap_err().contains("is empty"));
    assert!(load(&vec![b'x'; 65_537], 0o600).unwrap_err().contains("64 KiB"));
    assert_eq!(load(&vec![b'x'; 65_536], 0o600).unwrap().len(), 65_536);
    assert!(load(b"\xff\xfe", 0o600).unwrap_err().contains("not text"));
    let absent = SecretSource::File("/nonexistent/secret".into()).load().unwrap_err();
    assert!(absent.to_string().contains("`/nonexistent/secret`"), "{absent}");
    let directory = SecretSource::File("/".into()).load().unwrap_err();
    assert!(directory.to_string().contains("not a regular file"), "{directory}");
}

#[test]
fn a_credential_comes_from_the_directory_systemd_names_and_only_from_there() {
    let (directory, _path) = file(b"from systemd\n", 0o440);
    let at = directory.path().as_os_str().to_owned();
    let environment = move |name: &str| (name == "CREDENTIALS_DIRECTORY").then(|| at.clone());
    let secret = SecretSource::Credential("secret".into()).load_with(&environment).unwrap();
    assert_eq!(secret.expose(), "from systemd");
    for name in ["../secret", "a/b", "", ".", ".."] {
        let error = SecretSource::Credential(name.into()).load_with(&environment).unwrap_err();
        assert!(matches!(error, SecretError::CredentialName(_)), "{name}: {error}");
    }
    let error = SecretSource::Credential("x".into()).load_with(|_| None).unwrap_err();
    assert!(error.to_string().contains("$CREDENTIALS_DIRECTORY is not set"), "{error}");
}

#[test]
fn a_variable_that_is_absent_or_empty_is_refused_by_name() {
    let source = SecretSource::Env("DYNAMICS_SECRET".into());
    let secret = source.load_with(|_| Some("abc".into())).unwrap();
    assert_eq!(secret.expose(), "abc");
    let error = source.load_with(|_| None).unwrap_err().to_string();
    assert!(error.contains("`DYNAMICS_SECRET` is not set"), "{error}");
    let error = source.load_with(|_| Some("\n".into())).unwrap_err().to_string();
    assert!(error.contains("`DYNAMICS_SECRET` is empty"), "{error}");
}

#[test]
fn debug_of_a_secret_tells_nothing() {
    assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
}
