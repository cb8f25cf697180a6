//! docs/sandbox.md, as a reader would follow it: its files are written, its
//! commands are typed.

use std::path::Path;
use std::process::Command;

use crate::rig::{Running, bare, finish};

/// A fenced block: its language, the file that the line above it names.
struct Block {
    language: String,
    file: Option<String>,
    text: String,
}

fn blocks(document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let (mut above, mut open): (String, Option<Block>) = (String::new(), None);
    for line in document.lines() {
        match (open.take(), line.strip_prefix("```")) {
            (None, Some(language)) => {
                let file = above.strip_suffix("`:").and_then(|line| line.rsplit('`').next());
                let (language, file) = (language.to_owned(), file.map(str::to_owned));
                open = Some(Block { language, file, text: String::new() });
            }
            (None, None) if line.trim().is_empty() => {}
            (None, None) => line.clone_into(&mut above),
            (Some(block), Some(_)) => {
                blocks.push(block);
                above.clear();
            }
            (Some(mut block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some(block);
            }
        }
    }
    assert!(open.is_none(), "a block without an end");
    blocks
}

/// The words of a line, as a shell takes them apart; the manual quotes with `'`.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quoted) = (vec![String::new()], false);
    for letter in line.chars() {
        match letter {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            letter => words.last_mut().unwrap().push(letter),
        }
    }
    words
}

/// Sends what a line for `curl` would send; the status must be a good one.
async fn curl(words: &[String], folder: &Path, origin: &str) -> String {
    let (mut method, mut body, mut url) = (None, None, None);
    let mut rest = words.iter().skip(1);
    while let Some(word) = rest.next() {
        match word.as_str() {
            "-s" => {}
            "-X" => method = rest.next().cloned(),
            "-d" => body = rest.next().map(|text| text.clone().into_bytes()),
            "--data-binary" => {
                let file = rest.next().unwrap().strip_prefix('@').unwrap();
                body = Some(std::fs::read(folder.join(file)).unwrap());
            }
            other => url = Some(other.replace("http://127.0.0.1:8700", origin)),
        }
    }
    let usual = if body.is_some() { "POST" } else { "GET" };
    let method = method.unwrap_or_else(|| usual.to_owned());
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let request = crate::sandbox::client().request(method, url.unwrap());
    let got = crate::sandbox::send(request.body(body.unwrap_or_default())).await;
    assert!((200..300).contains(&got.status), "{words:?}: {} {}", got.status, got.text);
    got.text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_of_the_sandboxs_page_runs() {
    let folder = tempfile::tempdir().unwrap();
    let mut running: Option<(Running, String)> = None;
    let mut shown = Vec::new();
    let (mut files, mut commands) = (0, 0);
    for block in blocks(include_str!("../../docs/sandbox.md")) {
        match (block.language.as_str(), &block.file) {
            ("text", _) => {}
            ("sh", _) => {
                for line in block.text.lines() {
                    commands += 1;
                    run(line, folder.path(), &mut running, &mut shown).await;
                }
            }
            ("toml" | "json" | "csv", Some(file)) => {
                let file = folder.path().join(file);
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                std::fs::write(file, block.text).unwrap();
                files += 1;
            }
            (language, file) => panic!("nobody runs this example: {language} {file:?}"),
        }
    }
    assert!(files >= 4 && commands >= 15, "{files} files, {commands} commands");
    let pets = shown.iter().find(|text| text.contains("\"Minka\"")).expect("the pets by the API");
    assert!(pets.contains("\"new_weight\":4.2"), "{pets}");
    assert_eq!(shown.last().map(String::as_str), Some("[]"), "the log of refusals");
}

async fn run(
    line: &str,
    folder: &Path,
    running: &mut Option<(Running, String)>,
    shown: &mut Vec<String>,
) {
    let words = words(line);
    let arguments: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    let program = |arguments: &[&str]| -> Command {
        let mut command = bare(arguments);
        command.current_dir(folder);
        command
    };
    match (words[0].as_str(), arguments.first().copied()) {
        ("curl", _) => {
            let (_, origin) = running.as_ref().expect("a sandbox is running");
            shown.push(curl(&words, folder, origin).await);
        }
        ("cdsync", Some("sandbox")) if arguments.contains(&"--list-variants") => {
            let listed = finish(program(&arguments)).await;
            let names = &listed.expect(0).out;
            assert!(names.contains("delta-expired") && names.contains("400, 410"), "{names}");
        }
        ("cdsync", Some("sandbox")) => {
            // The port of the manual may be taken on this machine.
            let mut arguments = arguments.clone();
            arguments.extend(["--listen", "127.0.0.1:0"]);
            // The one before ends.
            *running = None;
            let sandbox = Running::start(program(&arguments));
            let hello = sandbox.wait_for("sandbox on ");
            let origin = hello.split_whitespace().nth(2).unwrap().to_owned();
            sandbox.wait_for("Ctrl-C ends it");
            *running = Some((sandbox, origin));
        }
        ("cdsync", Some(_)) => {
            finish(program(&arguments)).await.expect(0);
        }
        _ => panic!("nobody can run `{line}`"),
    }
}
