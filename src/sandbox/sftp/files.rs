//! The operations of the file protocol, version 3.
//!
//! Owns: open files and listings of one connection, and the playing of faults.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use russh_sftp::protocol::{
    Attrs, Data, File, FileAttributes, Handle, Name, OpenFlags, Status, StatusCode,
};
use russh_sftp::server::StatusReply;

use super::faults::SftpFault;
use super::tree::{Node, Refusal, absolute, seconds};
use super::{Shared, State, lock};
use crate::clock::Clock;
use crate::sandbox::listener::Cut;

/// Most bytes of one read; less than clients ask for, as some servers give.
const MOST_READ: u32 = 32 * 1024;

/// Names in one part of a listing.
const LISTING: usize = 100;

/// A client may hold this many files and listings.
const MOST_HANDLES: usize = 64;

impl From<Refusal> for StatusReply {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Missing => StatusCode::NoSuchFile.into(),
            Refusal::Unfit => StatusCode::Failure.into(),
        }
    }
}

enum Open {
    File { path: String, append: bool },
    Listing { path: String, left: VecDeque<String>, shown: u64 },
}

/// The files of one connection.
pub(super) struct Files {
    shared: Shared,
    cut: Cut,
    clock: Clock,
    open: HashMap<String, Open>,
    next: u64,
}

fn attributes(node: &Node, size: u64, newer: u32) -> FileAttributes {
    let mode = if node.content.is_some() { 0o100_664 } else { 0o040_775 };
    FileAttributes {
        size: Some(size),
        uid: Some(1000),
        gid: Some(1000),
        permissions: Some(mode),
        atime: Some(node.modified),
        mtime: Some(node.modified.saturating_add(newer)),
        ..FileAttributes::default()
    }
}

fn size(node: &Node) -> u64 {
    node.content.as_ref().map_or(4096, |content| u64::try_from(content.len()).unwrap_or(u64::MAX))
}

/// A look at what lies at a path.
fn look(state: &mut State, path: &str) -> Result<FileAttributes, StatusReply> {
    let State { tree, faults, .. } = state;
    let node = tree.get(path).ok_or(Refusal::Missing)?;
    let (size, newer) = match node.content {
        Some(_) => faults.look(&absolute(path), size(node)),
        None => (size(node), 0),
    };
    Ok(attributes(node, size, newer))
}

fn done(id: u32) -> Status {
    Status {
        id,
        status_code: StatusCode::Ok,
        error_message: "Ok".to_owned(),
        language_tag: "en-US".to_owned(),
    }
}

fn read_only(state: &State) -> Result<(), StatusReply> {
    if state.faults.has(&SftpFault::ReadOnly) {
        return Err(StatusCode::PermissionDenied.into());
    }
    Ok(())
}

impl Files {
    /// Nothing is open.
    pub(super) fn new(shared: Shared, cut: Cut, clock: Clock) -> Self {
        Self { shared, cut, clock, open: HashMap::new(), next: 0 }
    }

    fn now(&self) -> u32 {
        seconds(self.clock.now())
    }

    /// Notes an operation and takes the time that a fault says.
    async fn begin(&self, operation: &'static str, path: &str) {
        let slow = {
            let mut state = lock(&self.shared);
            state.note(operation, path);
            state.faults.slow_ms()
        };
        if slow > 0 {
            self.clock.sleep(Duration::from_millis(slow)).await;
        }
    }

    fn keep(&mut self, id: u32, open: Open) -> Result<Handle, StatusReply> {
        if self.open.len() >= MOST_HANDLES {
            return Err(StatusCode::Failure.with_message("too many open handles"));
        }
        self.next += 1;
        let handle = format!("h{}", self.next);
        self.open.insert(handle.clone(), open);
        Ok(Handle { id, handle })
    }

    fn path_of(&self, handle: &str) -> Result<String, StatusReply> {
        match self.open.get(handle) {
            Some(Open::File { path, .. } | Open::Listing { path, .. }) => Ok(path.clone()),
            None => Err(StatusCode::Failure.with_message("no such handle")),
        }
    }
}

impl russh_sftp::server::Handler for Files {
    type Error = StatusReply;

    fn unimplemented(&self) -> Self::Error {
        StatusCode::OpUnsupported.into()
    }

    async fn open(
        &mut self,
        id: u32,
        path: String,
        flags: OpenFlags,
        _: FileAttributes,
    ) -> Result<Handle, StatusReply> {
        self.begin("open", &path).await;
        let now = self.now();
        {
            let mut state = lock(&self.shared);
            if flags.contains(OpenFlags::CREATE) {
                let empty = flags.contains(OpenFlags::TRUNCATE);
                let new = flags.contains(OpenFlags::EXCLUDE);
                state.tree.create(&path, empty, new, now)?;
            }
            let node = state.tree.get(&path).ok_or(Refusal::Missing)?;
            if node.content.is_none() {
                return Err(StatusCode::Failure.into());
            }
        }
        let append = flags.contains(OpenFlags::APPEND);
        self.keep(id, Open::File { path: absolute(&path), append })
    }

    async fn close(&mut self, id: u32, handle: String) -> Result<Status, StatusReply> {
        self.path_of(&handle)?;
        self.open.remove(&handle);
        Ok(done(id))
    }

    async fn read(
        &mut self,
        id: u32,
        handle: String,
        offset: u64,
        len: u32,
    ) -> Result<Data, StatusReply> {
        let path = self.path_of(&handle)?;
        self.begin("read", &path).await;
        let (data, cut) = {
            let mut state = lock(&self.shared);
            let State { tree, faults, .. } = &mut *state;
            let content = tree.content(&path).ok_or(Refusal::Missing)?;
            let whole = u64::try_from(content.len()).unwrap_or(u64::MAX);
            let end =
                faults.readable(&path, whole).min(offset.saturating_add(len.min(MOST_READ).into()));
            let range =
                usize::try_from(offset).unwrap_or(usize::MAX)..usize::try_from(end).unwrap_or(0);
            let Some(data) = content.get(range).filter(|data| !data.is_empty()) else {
                return Err(StatusCode::Eof.into());
            };
            (data.to_vec(), faults.drops(data.len()))
        };
        if cut {
            self.cut.now();
        }
        Ok(Data { id, data })
    }

    async fn write(
        &mut self,
        id: u32,
        handle: String,
        offset: u64,
        data: Vec<u8>,
    ) -> Result<Status, StatusReply> {
        let path = self.path_of(&handle)?;
        self.begin("write", &path).await;
        let now = self.now();
        let append = matches!(self.open.get(&handle), Some(Open::File { append: true, .. }));
        let mut state = lock(&self.shared);
        let offset = if append {
            state.tree.content(&path).map_or(0, <[u8]>::len)
        } else {
            usize::try_from(offset).map_err(|_| StatusReply::new(StatusCode::Failure))?
        };
        if state.faults.has(&SftpFault::Full) {
            let half = data.get(..data.len() / 2).unwrap_or_default();
            state.tree.write(&path, offset, half, now)?;
            return Err(StatusCode::Failure.with_message("Disk quota exceeded"));
        }
        state.tree.write(&path, offset, &data, now)?;
        Ok(done(id))
    }

    async fn lstat(&mut self, id: u32, path: String) -> Result<Attrs, StatusReply> {
        self.begin("lstat", &path).await;
        Ok(Attrs { id, attrs: look(&mut lock(&self.shared), &path)? })
    }

    async fn stat(&mut self, id: u32, path: String) -> Result<Attrs, StatusReply> {
        self.begin("stat", &path).await;
        Ok(Attrs { id, attrs: look(&mut lock(&self.shared), &path)? })
    }

    async fn fstat(&mut self, id: u32, handle: String) -> Result<Attrs, StatusReply> {
        let path = self.path_of(&handle)?;
        self.begin("fstat", &path).await;
        Ok(Attrs { id, attrs: look(&mut lock(&self.shared), &path)? })
    }

    async fn setstat(
        &mut self,
        id: u32,
        path: String,
        attrs: FileAttributes,
    ) -> Result<Status, StatusReply> {
        self.begin("setstat", &path).await;
        let size = attrs.size.and_then(|size| usize::try_from(size).ok());
        lock(&self.shared).tree.set(&path, size, attrs.mtime)?;
        Ok(done(id))
    }

    async fn fsetstat(
        &mut self,
        id: u32,
        handle: String,
        attrs: FileAttributes,
    ) -> Result<Status, StatusReply> {
        let path = self.path_of(&handle)?;
        self.setstat(id, path, attrs).await
    }

    async fn opendir(&mut self, id: u32, path: String) -> Result<Handle, StatusReply> {
        self.begin("opendir", &path).await;
        let left = {
            let state = lock(&self.shared);
            let node = state.tree.get(&path).ok_or(Refusal::Missing)?;
            if node.content.is_some() {
                return Err(StatusCode::Failure.into());
            }
            let dots = [".".to_owned(), "..".to_owned()];
            let names = dots.into_iter().chain(state.tree.names(&path));
            names.chain(state.faults.names()).collect()
        };
        self.keep(id, Open::Listing { path: absolute(&path), left, shown: 0 })
    }

    async fn readdir(&mut self, id: u32, handle: String) -> Result<Name, StatusReply> {
        let path = self.path_of(&handle)?;
        self.begin("readdir", &path).await;
        let Some(Open::Listing { left, shown, .. }) = self.open.get_mut(&handle) else {
            return Err(StatusCode::Failure.into());
        };
        let mut state = lock(&self.shared);
        let mut names: Vec<String> = left.drain(..left.len().min(LISTING)).collect();
        if names.is_empty() && state.faults.has(&SftpFault::EndlessListing) {
            names = (0..LISTING).map(|n| format!("delivery_log_{shown}_{n}.csv")).collect();
            *shown += 1;
        }
        if names.is_empty() {
            return Err(StatusCode::Eof.into());
        }
        let made_up = Node { content: Some(vec![0; 10]), modified: 1_700_000_000 };
        let entry = |name: String| {
            let attrs = look(&mut state, &format!("{path}/{name}"))
                .unwrap_or_else(|_| attributes(&made_up, size(&made_up), 0));
            File::new(name, attrs)
        };
        Ok(Name { id, files: names.into_iter().map(entry).collect() })
    }

    async fn remove(&mut self, id: u32, path: String) -> Result<Status, StatusReply> {
        self.begin("remove", &path).await;
        let mut state = lock(&self.shared);
        read_only(&state)?;
        state.tree.remove_file(&path)?;
        Ok(done(id))
    }

    async fn mkdir(
        &mut self,
        id: u32,
        path: String,
        _: FileAttributes,
    ) -> Result<Status, StatusReply> {
        self.begin("mkdir", &path).await;
        lock(&self.shared).tree.add_directory(&path, self.now())?;
        Ok(done(id))
    }

    async fn rmdir(&mut self, id: u32, path: String) -> Result<Status, StatusReply> {
        self.begin("rmdir", &path).await;
        lock(&self.shared).tree.remove_directory(&path)?;
        Ok(done(id))
    }

    async fn realpath(&mut self, id: u32, path: String) -> Result<Name, StatusReply> {
        self.begin("realpath", &path).await;
        Ok(Name { id, files: vec![File::dummy(absolute(&path))] })
    }

    async fn rename(&mut self, id: u32, from: String, to: String) -> Result<Status, StatusReply> {
        self.begin("rename", &from).await;
        let mut state = lock(&self.shared);
        read_only(&state)?;
        state.tree.rename(&from, &to)?;
        Ok(done(id))
    }
}
