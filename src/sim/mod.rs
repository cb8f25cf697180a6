//! Simulation: the whole program in one process, on simulated time, against the
//! look-alikes without sockets, with faults and crashes by a seeded plan.
//!
//! A seed makes a plan (`plan`): what people do on both sides, what goes wrong,
//! and when the program dies; `scenes` are what chance seldom brings together.
//! A run (`run`) carries it out. The model (`model`) knows what people did and
//! checks after every request what must always hold; `check` compares both sides
//! once all is quiet. A plan that fails is made shorter (`shrink`) as long as the
//! same promise is broken.
//!
//! ```text
//! CDSYNC_SIM_SEED=17 cargo test --lib simulated_lives -- --nocapture
//! CDSYNC_SIM_SEEDS=100000 cargo test --release --lib simulated_lives -- --nocapture
//! ```
//!
//! Must not be used by the program: it exists in tests only.

mod check;
mod events;
mod gap;
mod message;
mod model;
mod observe;
mod operator;
mod people;
mod plan;
mod price;
mod run;
mod said;
mod scenes;
mod seeds;
mod settings;
mod shrink;
mod stream;
mod tests;
mod trouble;
mod wave;
mod wire;
mod world;
mod writes;

/// A sixth of a life's time went into the allocator of the C library.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A promise that was broken, with the words to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The promise, by the id of `reliability.md`, such as `I1`.
    pub(crate) promise: &'static str,
    /// What was seen.
    pub(crate) what: String,
}

impl Violation {
    fn new(promise: &'static str, what: impl Into<String>) -> Self {
        Self { promise, what: what.into() }
    }
}
