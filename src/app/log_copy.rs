//! The copy of the log on Campaign's file server.
//!
//! Owns: what the files there are called, and which of them are ours to delete.
//! When it is done is not known here.

use jiff::{SignedDuration, Timestamp};

use crate::app::App;
use crate::campaign::sftp::{Entry, Session};
use crate::config::LogCopySettings;
use crate::telemetry::{LogsCopied, Part, Spool};

/// Behind a name while the file is written.
const UNFINISHED: &str = ".part";

/// What may stand behind our names: the server compresses files when its disk
/// fills up (Campaign sheet, 8.3).
const ENDINGS: [&str; 4] = [".log", ".log.gz", ".log.zip", ".log.part"];

/// Longest name of a machine in the name of a file.
const MAX_INSTANCE: usize = 64;

impl App {
    /// Copies all lines of the spool, then deletes old files. A part is removed
    /// here once it lies there under its name, whole.
    ///
    /// # Errors
    /// In words, with the remedy.
    pub(crate) async fn copy_logs(&self, spool: &Spool) -> Result<(), String> {
        let settings = self.config.daemon.log_copy.as_ref();
        let (Some(settings), Some(server)) = (settings, &self.log_server) else { return Ok(()) };
        let session = server.connect().await.map_err(|failure| failure.message)?;
        let copy = Copy { names: Names::of(settings), settings, session: &session, spool };
        let copied = copy.all(self.clock.now()).await;
        session.close().await;
        copied
    }
}

struct Copy<'a> {
    names: Names,
    settings: &'a LogCopySettings,
    session: &'a Session,
    spool: &'a Spool,
}

impl Copy<'_> {
    async fn all(&self, now: Timestamp) -> Result<(), String> {
        let listing = self.session.list(&self.settings.directory).await;
        let there = listing.map_err(|failure| failure.message)?.files;
        // What is written now waits until the rest was taken, so that a server
        // that takes nothing does not make a file of each line.
        self.finished(&there).await?;
        self.spool.finish();
        self.finished(&there).await?;
        for name in self.names.old(&there, now, self.settings.keep) {
            let removed = self.session.remove(&self.path(name)).await;
            removed.map_err(|failure| failure.message)?;
        }
        Ok(())
    }

    async fn finished(&self, there: &[Entry]) -> Result<(), String> {
        let unreadable = |error| {
            let place = "lines of the log that wait beside the store cannot be read";
            format!("{place}: {error}; mend that, or remove the directory")
        };
        while let Some(part) = self.spool.oldest().map_err(unreadable)? {
            if !part.text.is_empty() {
                self.send(&part, there).await?;
            }
            self.spool.remove(part.number);
        }
        Ok(())
    }

    async fn send(&self, part: &Part, there: &[Entry]) -> Result<(), String> {
        let (name, bytes) = (self.names.name(part)?, part.text.len() as u64);
        let (session, path) = (self.session, self.path(&name));
        let told = |failure: crate::http::Failure| failure.message;
        match there.iter().find(|entry| entry.name == name) {
            // The end of the last attempt was not heard of.
            Some(entry) if entry.stat.size == bytes => return Ok(()),
            Some(_) => session.remove(&path).await.map_err(told)?,
            None => {}
        }
        let unfinished = format!("{path}{UNFINISHED}");
        session.write(&unfinished, &part.text).await.map_err(told)?;
        session.rename(&unfinished, &path).await.map_err(told)?;
        LogsCopied { file: name, bytes }.emit();
        Ok(())
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.settings.directory)
    }
}

/// The names of our files: `cdsync-INSTANCE-TIME-NUMBER.log`. Time and number
/// are those of the part, so that a part has one name, however often it is sent.
struct Names {
    prefix: String,
}

impl Names {
    fn of(settings: &LogCopySettings) -> Self {
        let machine = || {
            let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            instance(&name)
        };
        let instance = settings.instance.clone().unwrap_or_else(machine);
        Self { prefix: format!("cdsync-{instance}-") }
    }

    fn name(&self, part: &Part) -> Result<String, String> {
        let changed = Timestamp::try_from(part.changed)
            .map_err(|_| "a file of the log has a time that is none; set the clock".to_owned())?;
        Ok(format!("{}{}-{}.log", self.prefix, stamp(changed), part.number))
    }

    /// The time in one of our names; none for anybody else's.
    fn time(&self, name: &str) -> Option<Timestamp> {
        let rest = name.strip_prefix(&self.prefix)?;
        let rest = ENDINGS.iter().find_map(|ending| rest.strip_suffix(ending))?;
        let (text, number) = rest.split_once('-')?;
        let time: Timestamp = text.parse().ok()?;
        let ours = stamp(time) == text && number.parse::<u64>().ok()?.to_string() == number;
        ours.then_some(time)
    }

    /// Ours that have been there for longer than they are kept.
    fn old<'e>(
        &self,
        there: &'e [Entry],
        now: Timestamp,
        keep: std::time::Duration,
    ) -> Vec<&'e str> {
        let keep = SignedDuration::try_from(keep).unwrap_or(SignedDuration::MAX);
        let old = |time: Timestamp| now.duration_since(time) > keep;
        let names = there.iter().map(|entry| entry.name.as_str());
        names.filter(|name| self.time(name).is_some_and(old)).collect()
    }
}

/// A time that can stand in a name, to the millisecond.
fn stamp(time: Timestamp) -> String {
    time.strftime("%Y%m%dT%H%M%S.%3fZ").to_string()
}

/// The first part of a machine's name, of letters that a name may have.
fn instance(host: &str) -> String {
    let first = host.trim().split('.').next().unwrap_or_default();
    let fits = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let name: String = first.chars().map(fits).take(MAX_INSTANCE).collect();
    if name.is_empty() { "host".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::campaign::sftp::Stat;

    const NAMES: fn() -> Names = || Names { prefix: "cdsync-web1-".to_owned() };

    #[test]
    fn a_part_has_one_name_that_tells_its_time() {
        let changed = UNIX_EPOCH + Duration::from_millis(1_795_268_700_042);
        let part = Part { number: 7, changed, text: Vec::new() };
        let name = NAMES().name(&part).unwrap();
        assert_eq!(name, "cdsync-web1-20261121T134500.042Z-7.log");
        assert_eq!(NAMES().time(&name), Some(Timestamp::try_from(changed).unwrap()));
    }

    #[test]
    fn only_our_own_old_files_are_deleted() {
        let entry =
            |name: &str| Entry { name: name.to_owned(), stat: Stat { size: 1, changed_s: 0 } };
        let ours = [
            "cdsync-web1-20261101T000000.000Z-1.log",
            "cdsync-web1-20261101T000000.000Z-2.log.gz",
            "cdsync-web1-20261101T000000.000Z-3.log.zip",
            "cdsync-web1-20261101T000000.000Z-4.log.part",
        ];
        let others = [
            "cdsync-web1-20261120T000000.000Z-1.log",
            "cdsync-web2-20261101T000000.000Z-1.log",
            "cdsync-web1-b-20261101T000000.000Z-1.log",
            "cdsync-web1-20261101T000000.000Z-1.csv",
            "cdsync-web1-20261101T000000.000Z-01.log",
            "cdsync-web1-20261101T000000Z-1.log",
            "cdsync-web1-20261101T000000.000Z.log",
            "cdsync-web1-20261131T000000.000Z-1.log",
            "cdsync-web1-2026-11-01T00:00:00.000Z-1.log",
            "delivery_log_1.csv",
        ];
        let there: Vec<Entry> = ours.iter().chain(&others).map(|name| entry(name)).collect();
        let now = "2026-11-21T00:00:00Z".parse().unwrap();
        let keep = Duration::from_hours(14 * 24);
        assert_eq!(NAMES().old(&there, now, keep), ours);
    }

    #[test]
    fn the_name_of_a_machine_becomes_a_part_of_a_file_name() {
        for (host, expected) in [
            ("web1\n", "web1"),
            ("web1.example.com", "web1"),
            ("../x", "host"),
            ("a b/c", "a-b-c"),
            ("", "host"),
        ] {
            assert_eq!(instance(host), expected, "{host:?}");
        }
    }
}
