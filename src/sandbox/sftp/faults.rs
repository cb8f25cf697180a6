//! What can go wrong with files.
//!
//! Owns: the faults and their counters. Knows nothing of how they are played.

use std::collections::HashMap;

/// One thing that goes wrong as long as it is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SftpFault {
    /// The connection closes once so many bytes of content were read over all
    /// connections; this happens so many times, then no more.
    DropAfter {
        /// Bytes of content.
        bytes: u64,
        /// How often.
        times: u32,
    },
    /// Files are being written: each look at one shows so many bytes more of it
    /// and a newer time, until it is whole.
    Growing {
        /// Bytes per look.
        step: u64,
    },
    /// Files end in the middle, whatever size is shown.
    Truncated,
    /// The disk is full: half of what is written arrives, and the write fails.
    Full,
    /// Listings never end; each has one name more.
    EndlessListing,
    /// Listings show these names too.
    Names(Vec<String>),
    /// The server shows another key than its own.
    OtherHostKey,
    /// Nobody is let in: the key has expired, or the address is not allowed.
    Refused,
    /// Nothing may be removed or renamed: the directory belongs to somebody
    /// else.
    ReadOnly,
    /// Each operation takes this much longer.
    Slow {
        /// Milliseconds.
        ms: u64,
    },
}

/// The faults that are set.
#[derive(Debug, Default)]
pub(super) struct Faults {
    set: Vec<SftpFault>,
    /// Bytes of content since the last closed connection.
    read: u64,
    /// How often a connection was closed.
    dropped: u32,
    /// Looks at growing files.
    looks: HashMap<String, u64>,
}

impl Faults {
    /// These faults, with fresh counters.
    pub(super) fn new(faults: &[SftpFault]) -> Self {
        Self { set: faults.to_vec(), ..Self::default() }
    }

    /// Whether this fault is set.
    pub(super) fn has(&self, fault: &SftpFault) -> bool {
        self.set.contains(fault)
    }

    /// Names that listings show too.
    pub(super) fn names(&self) -> Vec<String> {
        let of = |fault: &SftpFault| {
            if let SftpFault::Names(names) = fault { names.clone() } else { Vec::new() }
        };
        self.set.iter().flat_map(of).collect()
    }

    /// How much longer an operation takes, in milliseconds.
    pub(super) fn slow_ms(&self) -> u64 {
        self.set.iter().map(|fault| if let SftpFault::Slow { ms } = fault { *ms } else { 0 }).sum()
    }

    /// Counts content that is read; whether the connection closes now.
    pub(super) fn drops(&mut self, bytes: usize) -> bool {
        self.read += u64::try_from(bytes).unwrap_or(u64::MAX);
        let due = self.set.iter().any(|fault| {
            matches!(fault, SftpFault::DropAfter { bytes, times }
                if self.dropped < *times && self.read >= *bytes)
        });
        if due {
            self.read = 0;
            self.dropped += 1;
        }
        due
    }

    /// Bytes that a file grows per look, where files grow.
    fn step(&self) -> Option<u64> {
        let of = |fault: &SftpFault| {
            if let SftpFault::Growing { step } = fault { Some(*step) } else { None }
        };
        self.set.iter().find_map(of)
    }

    /// A look at a file of this size: the size shown, and how many seconds
    /// newer it is.
    pub(super) fn look(&mut self, path: &str, size: u64) -> (u64, u32) {
        let Some(step) = self.step() else {
            return (size, 0);
        };
        let looks = self.looks.entry(path.to_owned()).or_default();
        if looks.saturating_mul(step) < size {
            *looks += 1;
        }
        (size.min(looks.saturating_mul(step)), u32::try_from(*looks).unwrap_or(0))
    }

    /// How much of a file of this size can be read.
    pub(super) fn readable(&self, path: &str, size: u64) -> u64 {
        let looks = self.looks.get(path).copied().unwrap_or(0);
        let size = self.step().map_or(size, |step| size.min(looks.saturating_mul(step)));
        if self.has(&SftpFault::Truncated) { size / 2 } else { size }
    }
}
