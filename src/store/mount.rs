//! On what kind of file system the store lies. One of a network promises neither
//! locks that hold nor syncs that last, and two daemons could have the store open.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Names of file systems of a network, as the kernel has them.
const NETWORK: &[&str] =
    &["nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "fuse.sshfs"];

/// The name of the network file system that this directory lies on, if it does. A
/// machine that does not say is believed to have a disk.
pub(super) fn network(directory: &Path) -> Option<String> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let kind = kind(&table, &directory.canonicalize().ok()?)?;
    NETWORK.contains(&kind).then(|| kind.to_owned())
}

/// The file system of a directory by the kernel's table (proc(5)): of the deepest
/// mount point above it, and of those the last, which hides the others.
fn kind<'t>(table: &'t str, directory: &Path) -> Option<&'t str> {
    let mut found: Option<(usize, &str)> = None;
    for line in table.lines() {
        let Some((mount, of)) = line.split_once(" - ") else { continue };
        let Some(point) = mount.split(' ').nth(4).map(unescaped) else { continue };
        let depth = point.components().count();
        if directory.starts_with(&point) && found.is_none_or(|(deepest, _)| depth >= deepest) {
            found = Some((depth, of.split(' ').next().unwrap_or_default()));
        }
    }
    found.map(|(_, kind)| kind)
}

/// A path in which blanks and the like stand as `\040`.
fn unescaped(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let octal = behind
            .first_chunk::<3>()
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match octal {
            Some(byte) if *first == b'\\' => {
                bytes.push(byte);
                rest = &behind[3..];
            }
            Some(_) | None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = r"22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:21 / /srv rw master:2 - nfs4 filer:/srv rw,vers=4.2
24 23 254:1 / /srv/local rw - xfs /dev/vdb rw
25 22 0:30 / /mnt/two\040words rw - cifs //filer/share rw
26 22 254:2 / /mnt/over rw - ext4 /dev/vdc rw
27 22 0:31 / /mnt/over rw - fuse.sshfs filer:/ rw
a line of another form
";

    #[test]
    fn the_deepest_and_last_mount_above_a_directory_says_what_it_lies_on() {
        for (directory, expected) in [
            ("/", "ext4"),
            ("/srv/cdsync", "nfs4"),
            ("/srv", "nfs4"),
            ("/srvother", "ext4"),
            ("/srv/local/cdsync", "xfs"),
            ("/mnt/two words/cdsync", "cifs"),
            ("/mnt/two", "ext4"),
            ("/mnt/over/x", "fuse.sshfs"),
        ] {
            assert_eq!(kind(TABLE, Path::new(directory)), Some(expected), "{directory}");
        }
        assert_eq!(kind("", Path::new("/")), None);
    }

    #[test]
    fn a_directory_of_this_machine_is_on_no_network() {
        let here = tempfile::tempdir().unwrap();
        assert_eq!(network(here.path()), None);
        assert_eq!(network(&here.path().join("nowhere")), None);
    }
}
