//! What happens in one simulated life, before it begins: a value that can be
//! shown, repeated and made shorter. `seeds` makes them.

use serde::{Deserialize, Serialize};

use crate::failpoint::Point;
use crate::model::Flow;
use crate::model::consent::Direction;
use crate::sandbox::{FaultRule, System, Variants};

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The seed that it came from; also that of the look-alikes and of jitter.
    pub(crate) seed: u64,
    /// Contacts at the beginning.
    pub(crate) contacts: usize,
    /// By how many milliseconds the clocks of Dynamics, of Campaign and of the
    /// program are wrong.
    pub(crate) clocks: [i64; 3],
    /// How the look-alikes behave where the documents leave it open.
    pub(crate) variants: Variants,
    /// What the configuration says at the beginning.
    pub(crate) settings: Settings,
    /// What happens, in order.
    pub(crate) rounds: Vec<Round>,
    /// Whether a full read in peace leaves a contact out.
    #[serde(default)]
    pub(crate) gap: bool,
    /// Whether it is counted what one change costs in peace.
    #[serde(default)]
    pub(crate) price: bool,
}

/// What differs between configurations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// Rows on a page of Dynamics.
    pub(crate) page_rows: u64,
    /// Activities in a batch.
    pub(crate) batch: u64,
    /// Seconds between two passes of a flow.
    pub(crate) every: u64,
    /// Whether contacts without a job are left out, and their profiles deleted.
    pub(crate) filter: bool,
    /// Whether the job is mapped.
    pub(crate) job: bool,
    /// Whether both sides are compared and repaired in slices.
    pub(crate) reconcile: bool,
    /// Deletions of a table that go without being asked for, where it is limited.
    pub(crate) guard: Option<u64>,
    /// Seconds for which the schemas of a scheduled pass are kept.
    #[serde(default)]
    pub(crate) schema_cache: u64,
    /// Which way opt-outs travel; the same for a whole life.
    pub(crate) direction: Direction,
    /// Whether no profile is ever deleted; the same for a whole life.
    #[serde(default)]
    pub(crate) keeps: bool,
}

/// One life of the program with what happens around it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Round {
    /// Seconds without anything before it.
    pub(crate) rest: u64,
    /// What people do before it.
    pub(crate) before: Vec<Act>,
    /// What people do during it, so many milliseconds after its begin.
    pub(crate) during: Vec<(u64, Act)>,
    /// What people do in the moment in which the program works on the same.
    pub(crate) meddling: Vec<Meddling>,
    /// The configuration file says this so many milliseconds after a system has
    /// asked a daemon for rest.
    pub(crate) reload: Option<(u64, Settings)>,
    /// What goes wrong.
    pub(crate) faults: Vec<FaultRule>,
    /// When the program dies, if it does.
    pub(crate) crash: Option<Crash>,
    /// How the program lives.
    pub(crate) how: How,
    /// Longest way of a request, and of its answer, in milliseconds.
    pub(crate) latency: u64,
    /// Whether the store is set back to what it was at the end of the round
    /// before the last, as from a backup.
    pub(crate) restored: bool,
    /// Percent of the requests that somebody on the way sends twice.
    pub(crate) repeats: u64,
    /// Whether rows come in any order where none was asked for.
    pub(crate) reorders: bool,
}

/// How the program lives in a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum How {
    /// `sync`: one pass of each flow after the other.
    #[default]
    Passes,
    /// `run`: the daemon, for so many seconds.
    Daemon(u64),
    /// Not at all, for so many seconds.
    Away(u64),
}

/// When the program dies.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Crash {
    /// At the nth passing of a point.
    At(Point, u64),
    /// The same from the first pass of a flow on.
    In(Flow, Point, u64),
    /// When it waits for the nth time, whatever for.
    Waits(u64),
}

/// Somebody does something with a contact just before a system takes up a
/// request of the program about it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Meddling {
    /// A request to this system.
    pub(crate) system: System,
    /// Whether it reads.
    pub(crate) reads: bool,
    /// So many of these requests come before, and it.
    pub(crate) number: u64,
    /// What is done; whose number stands in it does not matter.
    pub(crate) act: Act,
}

/// What somebody does. Contacts and vehicles are counted among those that exist.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Act {
    /// A contact gets the next version of its name.
    Edit(usize),
    /// A contact gets another job, or loses it.
    Job(usize, Option<u64>),
    /// A contact comes into being, opted out of mail or not.
    Add(bool),
    /// A contact is deleted.
    Delete(usize),
    /// The first takes the second in.
    Merge(usize, usize),
    /// A vehicle comes into being, of somebody or of nobody.
    AddCar(Option<usize>),
    /// A vehicle gets another owner.
    MoveCar(usize, Option<usize>),
    /// A vehicle gets the next version of its name.
    NameCar(usize),
    /// A vehicle is deleted.
    DeleteCar(usize),
    /// A flag is set on a contact in Dynamics.
    InDynamics(usize, usize, bool),
    /// A flag is set on a profile in Campaign.
    InCampaign(usize, usize, bool),
    /// A flag is cleared in Campaign and set in Dynamics, or cleared in Dynamics
    /// and set in Campaign, at the same moment.
    Argue(usize, usize, bool),
    /// A contact's job goes back and forth between two.
    Flip(usize),
    /// Somebody in Campaign writes something on a profile that is not mapped.
    Note(usize),
    /// Somebody in Campaign writes over what is mapped. It is mended in the end.
    Overwrite(usize),
    /// Somebody in Campaign deletes a profile. It is mended in the end.
    Discard(usize),
    /// Campaign sends mail to a contact and tells of it.
    Mail(usize),
    /// So many events leave the journal, the oldest first.
    ExpireEvents(usize),
    /// All delta tokens expire.
    ExpireTokens,
    /// All access tokens end.
    RevokeAccess,
    /// A system's clock is set, by so many milliseconds, after a pass of opt-outs
    /// has seen it: of a clock that is set and set again between two looks nobody
    /// can know what it showed.
    Clock(System, i64),
    /// The program's own clock is wrong by so many milliseconds from now on.
    OwnClock(i64),
    /// An administrator of a system changes its schema.
    Schema(Change),
    /// An administrator of cdsync asks it for something.
    Ask(Wanted),
}

/// A change of a schema. What is taken away comes back before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change {
    /// The contacts' column of the first name goes away or comes back.
    Column(bool),
    /// The profiles' field of the first name goes away or comes back.
    Field(bool),
    /// The contacts get a further column.
    Further,
}

/// What an administrator asks the program for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Wanted {
    /// No more passes of a flow.
    Pause(Flow),
    /// Passes again.
    Resume(Flow),
    /// A pass now.
    Pass(Flow),
    /// All contacts, or all vehicles, are sent again.
    Replay(bool),
    /// All contacts, or all vehicles, are compared and mended.
    Repair(bool),
    /// A contact is sent again.
    One(usize),
    /// All contacts are compared.
    Verify,
    /// What the guards hold goes.
    Approve,
    /// A moment without passes, for so many seconds.
    Turn(u64),
    /// Dead letters are tried again.
    Retry,
    /// The configuration file says this from now on; a daemon is told.
    Settings(Settings),
}
