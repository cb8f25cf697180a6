//! Files and directories in memory.
//!
//! Owns: paths and what lies there. Knows nothing of SSH.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// Why something cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no such thing.
    Missing,
    /// There is something, and it is in the way or of the other kind.
    Unfit,
}

/// A file, or a directory where it has no content.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) content: Option<Vec<u8>>,
    /// When it was changed, in seconds since 1970.
    pub(super) modified: u32,
}

/// All of them by absolute path.
#[derive(Debug)]
pub(super) struct Tree(BTreeMap<String, Node>);

impl Default for Tree {
    fn default() -> Self {
        Self(BTreeMap::from([("/".to_owned(), Node { content: None, modified: 0 })]))
    }
}

/// Whole seconds since 1970, which is all that the protocol's third version
/// carries.
pub(super) fn seconds(moment: Timestamp) -> u32 {
    u32::try_from(moment.as_second()).unwrap_or(0)
}

/// The absolute path without dots; above the root is the root.
pub(super) fn absolute(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
}

fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}

impl Tree {
    /// What lies at a path.
    pub(super) fn get(&self, path: &str) -> Option<&Node> {
        self.0.get(&absolute(path))
    }

    fn is_directory(&self, path: &str) -> bool {
        self.0.get(path).is_some_and(|node| node.content.is_none())
    }

    /// What a file holds.
    pub(super) fn content(&self, path: &str) -> Option<&[u8]> {
        self.get(path)?.content.as_deref()
    }

    /// The names in a directory.
    pub(super) fn names(&self, path: &str) -> Vec<String> {
        let path = absolute(path);
        let prefix = if path == "/" { path } else { format!("{path}/") };
        let below = self.0.keys().filter_map(|key| key.strip_prefix(&prefix));
        below.filter(|name| !name.is_empty() && !name.contains('/')).map(str::to_owned).collect()
    }

    /// Makes a directory and those above it.
    pub(super) fn make_directory(&mut self, path: &str, modified: u32) {
        let mut path = absolute(path);
        while path != "/" {
            let up = parent(&path).to_owned();
            self.0.entry(path).or_insert(Node { content: None, modified });
            path = up;
        }
    }

    /// Puts a file there, with its directories.
    pub(super) fn put(&mut self, path: &str, content: Vec<u8>, modified: u32) {
        let path = absolute(path);
        self.make_directory(parent(&path), modified);
        self.0.insert(path, Node { content: Some(content), modified });
    }

    /// Opens a file for writing: makes or empties it.
    pub(super) fn create(
        &mut self,
        path: &str,
        empty: bool,
        new: bool,
        modified: u32,
    ) -> Result<(), Refusal> {
        let path = absolute(path);
        if !self.is_directory(parent(&path)) {
            return Err(Refusal::Missing);
        }
        if self.is_directory(&path) || new && self.0.contains_key(&path) {
            return Err(Refusal::Unfit);
        }
        let node = self.0.entry(path).or_insert(Node { content: Some(Vec::new()), modified });
        if empty {
            *node = Node { content: Some(Vec::new()), modified };
        }
        Ok(())
    }

    /// Writes into a file; a gap is filled with zeros.
    pub(super) fn write(
        &mut self,
        path: &str,
        offset: usize,
        data: &[u8],
        modified: u32,
    ) -> Result<(), Refusal> {
        let node = self.0.get_mut(&absolute(path)).ok_or(Refusal::Missing)?;
        let content = node.content.as_mut().ok_or(Refusal::Unfit)?;
        let end = offset.saturating_add(data.len());
        if content.len() < end {
            content.resize(end, 0);
        }
        content.get_mut(offset..end).ok_or(Refusal::Unfit)?.copy_from_slice(data);
        node.modified = modified;
        Ok(())
    }

    /// Sets size and time of what lies at a path.
    pub(super) fn set(
        &mut self,
        path: &str,
        size: Option<usize>,
        modified: Option<u32>,
    ) -> Result<(), Refusal> {
        let node = self.0.get_mut(&absolute(path)).ok_or(Refusal::Missing)?;
        if let (Some(size), Some(content)) = (size, node.content.as_mut()) {
            content.resize(size, 0);
        }
        node.modified = modified.unwrap_or(node.modified);
        Ok(())
    }

    /// Removes a file.
    pub(super) fn remove_file(&mut self, path: &str) -> Result<(), Refusal> {
        let path = absolute(path);
        match self.0.get(&path) {
            None => Err(Refusal::Missing),
            Some(node) if node.content.is_none() => Err(Refusal::Unfit),
            Some(_) => {
                self.0.remove(&path);
                Ok(())
            }
        }
    }

    /// Removes an empty directory.
    pub(super) fn remove_directory(&mut self, path: &str) -> Result<(), Refusal> {
        let path = absolute(path);
        if !self.0.contains_key(&path) {
            return Err(Refusal::Missing);
        }
        if path == "/" || !self.is_directory(&path) || !self.names(&path).is_empty() {
            return Err(Refusal::Unfit);
        }
        self.0.remove(&path);
        Ok(())
    }

    /// Makes one new directory.
    pub(super) fn add_directory(&mut self, path: &str, modified: u32) -> Result<(), Refusal> {
        let path = absolute(path);
        if !self.is_directory(parent(&path)) {
            return Err(Refusal::Missing);
        }
        if self.0.contains_key(&path) {
            return Err(Refusal::Unfit);
        }
        self.0.insert(path, Node { content: None, modified });
        Ok(())
    }

    /// Renames a file or a directory with all below it; nothing may be there.
    pub(super) fn rename(&mut self, from: &str, to: &str) -> Result<(), Refusal> {
        let (from, to) = (absolute(from), absolute(to));
        if !self.0.contains_key(&from) || !self.is_directory(parent(&to)) {
            return Err(Refusal::Missing);
        }
        let below = format!("{from}/");
        if from == "/" || self.0.contains_key(&to) || to.starts_with(&below) {
            return Err(Refusal::Unfit);
        }
        let moved: Vec<String> =
            self.0.keys().filter(|key| **key == from || key.starts_with(&below)).cloned().collect();
        for key in moved {
            if let Some(node) = self.0.remove(&key) {
                let rest = key.strip_prefix(&from).unwrap_or_default();
                self.0.insert(format!("{to}{rest}"), node);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_leaves_the_root() {
        for (path, expected) in [
            ("", "/"),
            (".", "/"),
            ("/../../etc", "/etc"),
            ("exports//a.csv/", "/exports/a.csv"),
            ("/exports/./x/../a.csv", "/exports/a.csv"),
        ] {
            assert_eq!(absolute(path), expected, "{path}");
        }
    }

    #[test]
    fn directories_move_with_what_is_in_them_and_go_only_when_empty() {
        let mut tree = Tree::default();
        tree.put("a/b/c.csv", vec![1, 2], 5);
        tree.put("ab", vec![3], 5);
        assert_eq!(tree.names("/"), ["a", "ab"]);
        assert_eq!(tree.rename("a", "a/b/d"), Err(Refusal::Unfit));
        assert_eq!(tree.rename("a", "ab"), Err(Refusal::Unfit));
        tree.rename("a", "z").unwrap();
        assert_eq!(tree.content("/z/b/c.csv"), Some([1, 2].as_slice()));
        assert_eq!(tree.remove_directory("z"), Err(Refusal::Unfit));
        assert_eq!(tree.remove_file("z"), Err(Refusal::Unfit));
        tree.remove_file("z/b/c.csv").unwrap();
        tree.remove_directory("z/b").unwrap();
        tree.remove_directory("z").unwrap();
        assert_eq!(tree.names("/"), ["ab"]);
    }
}
