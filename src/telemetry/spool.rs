//! Log lines kept in files until they are copied elsewhere.
//!
//! Owns: a directory of numbered parts, of which the last one grows; a cap on
//! all of them, for a time in which nobody takes them. Knows neither where they
//! go nor when. Says nothing itself: it is called while a line is written.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::Notify;
use tracing_subscriber::fmt::MakeWriter;

/// Bytes of a part, from which on the next one begins; a part is read whole.
const PART_BYTES: u64 = 4 * 1024 * 1024;

/// Bytes of all parts; beyond them the oldest are dropped.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// What a part is called: a number before this.
const ENDING: &str = ".jsonl";

/// Where lines are kept. Closed at first, and then takes none; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spool(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    lines: Mutex<Option<Lines>>,
    grown: Notify,
}

#[derive(Debug)]
struct Lines {
    directory: PathBuf,
    /// Finished ones, oldest first: number and bytes.
    parts: Vec<(u64, u64)>,
    /// The number of the part that grows.
    number: u64,
    file: Option<File>,
    bytes: u64,
    lost: Lost,
}

/// What was not kept.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    /// Bytes of lines.
    pub(crate) bytes: u64,
    /// Why lines could not be written, if that is it.
    error: Option<io::Error>,
}

impl Lost {
    /// Why, in words.
    pub(crate) fn reason(&self) -> String {
        match &self.error {
            Some(error) => format!("lines cannot be kept beside the store: {error}"),
            None => format!("the oldest went, because more than {} MiB waited", MOST_BYTES >> 20),
        }
    }
}

/// A finished part as it lies there.
#[derive(Debug)]
pub(crate) struct Part {
    /// Its number, which no other part of the directory has.
    pub(crate) number: u64,
    /// When its last line was written.
    pub(crate) changed: SystemTime,
    /// Whole lines.
    pub(crate) text: Vec<u8>,
}

impl Spool {
    /// Takes lines from now on, into this directory. Parts that lie there are
    /// those of an ended process, and finished.
    ///
    /// # Errors
    /// Where the directory cannot be made or read.
    pub(crate) fn open(&self, directory: &Path) -> io::Result<()> {
        if !directory.is_dir() {
            DirBuilder::new().mode(0o700).create(directory)?;
        }
        let mut parts = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            if entry.path().extension().is_some_and(|end| end == "new") {
                // Left by a crash, see `thin_out`.
                let _ = fs::remove_file(entry.path());
            }
            if let Some(number) = entry.file_name().to_str().and_then(number) {
                parts.push((number, entry.metadata()?.len()));
            }
        }
        parts.sort_unstable();
        let number = parts.last().map_or(1, |(last, _)| last.saturating_add(1));
        let directory = directory.to_owned();
        let lost = Lost::default();
        *self.lines() = Some(Lines { directory, parts, number, file: None, bytes: 0, lost });
        Ok(())
    }

    /// Whether lines are taken.
    pub(crate) fn is_open(&self) -> bool {
        self.lines().is_some()
    }

    /// Whether there is nothing to copy.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines().as_ref().is_none_or(|lines| lines.parts.is_empty() && lines.bytes == 0)
    }

    /// Finishes the part that grows, if it has lines.
    pub(crate) fn finish(&self) {
        if let Some(lines) = self.lines().as_mut() {
            lines.finish();
        }
    }

    /// Whether a part is finished.
    pub(crate) fn has_parts(&self) -> bool {
        self.lines().as_ref().is_some_and(|lines| !lines.parts.is_empty())
    }

    /// The oldest finished part. One that somebody took away is none.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(crate) fn oldest(&self) -> io::Result<Option<Part>> {
        loop {
            // Locked no longer than this statement: `remove` locks again.
            let oldest = self.lines().as_ref().and_then(Lines::oldest);
            let Some((number, path)) = oldest else { return Ok(None) };
            match read(number, &path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.is_gone(number),
                read => return read.map(Some),
            }
        }
    }

    /// Removes a part that has been copied, or that nobody can read.
    pub(crate) fn remove(&self, number: u64) {
        if let Some(lines) = self.lines().as_mut() {
            lines.parts.retain(|(other, _)| *other != number);
            // One that stays is copied again under its old name.
            let _ = fs::remove_file(lines.path(number));
        }
    }

    /// A part is not there any more, and was not copied.
    fn is_gone(&self, number: u64) {
        if let Some(lines) = self.lines().as_mut() {
            let gone = lines.parts.extract_if(.., |(other, _)| *other == number);
            let bytes = gone.map(|(_, bytes)| bytes).sum();
            lines.removed(bytes);
        }
    }

    /// Takes lines out of all parts, also of the one that grows, which is finished
    /// by it. Nobody logs meanwhile. Gives how many went.
    ///
    /// # Errors
    /// Where a part cannot be read or written; those before it are done.
    pub(crate) fn take_out(&self, wanted: impl Fn(&str) -> bool) -> io::Result<u64> {
        let mut lines = self.lines();
        let Some(lines) = lines.as_mut() else { return Ok(0) };
        lines.finish();
        let mut gone = 0;
        for at in 0..lines.parts.len() {
            let Some((number, _)) = lines.parts.get(at).copied() else { continue };
            let path = lines.path(number);
            let (taken, bytes) = match thin_out(&path, &wanted) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                done => done?,
            };
            gone += taken;
            if let Some(part) = lines.parts.get_mut(at) {
                part.1 = bytes;
            }
        }
        Ok(gone)
    }

    /// What was lost since this was asked last.
    pub(crate) fn lost(&self) -> Option<Lost> {
        let mut lines = self.lines();
        let lost = std::mem::take(&mut lines.as_mut()?.lost);
        (lost.bytes > 0).then_some(lost)
    }

    /// Waits until a part is full, or something is lost.
    pub(crate) async fn grown(&self) {
        self.0.grown.notified().await;
    }

    fn lines(&self) -> MutexGuard<'_, Option<Lines>> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn path(&self, number: u64) -> PathBuf {
        self.directory.join(format!("{number:08}{ENDING}"))
    }

    fn oldest(&self) -> Option<(u64, PathBuf)> {
        self.parts.first().map(|(number, _)| (*number, self.path(*number)))
    }

    fn finish(&mut self) {
        self.file = None;
        if self.bytes > 0 {
            self.parts.push((self.number, self.bytes));
            self.number = self.number.saturating_add(1);
            self.bytes = 0;
        }
    }

    /// Somebody has removed so much that was not copied.
    fn removed(&mut self, bytes: u64) {
        self.lost.bytes += bytes;
        let what = "somebody removed those that waited there";
        self.lost.error = Some(io::Error::new(io::ErrorKind::NotFound, what));
    }

    /// Adds a line. Gives whether somebody should look.
    fn add(&mut self, line: &[u8]) -> bool {
        let length = line.len() as u64;
        match self.write(line) {
            Ok(()) => self.bytes += length,
            Err(error) => {
                self.lost.bytes += length;
                self.lost.error = Some(error);
                return true;
            }
        }
        if self.bytes < PART_BYTES {
            return false;
        }
        self.finish();
        while self.parts.iter().map(|(_, bytes)| bytes).sum::<u64>() > MOST_BYTES - PART_BYTES {
            let (number, bytes) = self.parts.remove(0);
            let _ = fs::remove_file(self.path(number));
            self.lost.bytes += bytes;
        }
        true
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let mut file = match self.file.take() {
            Some(file) if file.metadata()?.nlink() > 0 => file,
            before => {
                if before.is_some() {
                    let bytes = std::mem::take(&mut self.bytes);
                    self.removed(bytes);
                }
                if !self.directory.is_dir() {
                    // Somebody has cleaned it away.
                    DirBuilder::new().mode(0o700).create(&self.directory)?;
                }
                let mut options = OpenOptions::new();
                options.append(true).create_new(true).mode(0o600).open(self.path(self.number))?
            }
        };
        let written = file.write_all(line);
        if written.is_err() {
            // Half a line is not to be followed by another one.
            let _ = file.set_len(self.bytes);
        }
        self.file = Some(file);
        written
    }
}

fn read(number: u64, path: &Path) -> io::Result<Part> {
    let changed = fs::metadata(path)?.modified()?;
    let mut text = fs::read(path)?;
    // The last line of a machine that lost its power may not be whole.
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    text.truncate(whole);
    Ok(Part { number, changed, text })
}

/// Takes lines out of a part. Its time stays, and with it the name of its copy.
/// Gives how many went, and the bytes that stay.
fn thin_out(path: &Path, wanted: impl Fn(&str) -> bool) -> io::Result<(u64, u64)> {
    let changed = fs::metadata(path)?.modified()?;
    let text = fs::read(path)?;
    let (mut kept, mut gone) = (Vec::with_capacity(text.len()), 0);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if wanted(&String::from_utf8_lossy(line)) {
            gone += 1;
        } else {
            kept.extend_from_slice(line);
        }
    }
    let bytes = kept.len() as u64;
    if gone > 0 {
        // What a crash leaves of it is overwritten by the repetition.
        let new = path.with_extension("new");
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        let written = file
            .write_all(&kept)
            .and_then(|()| file.set_modified(changed))
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&new, path));
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written?;
    }
    Ok((gone, bytes))
}

/// The number of a part with this name.
fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(ENDING)?;
    if digits.len() < 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

impl Write for Spool {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let look = self.lines().as_mut().is_some_and(|lines| lines.add(line));
        if look {
            self.0.grown.notify_one();
        }
        // What is lost is told by whoever copies; the line is in the log itself.
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Spool {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
#[path = "spool_tests.rs"]
mod tests;
