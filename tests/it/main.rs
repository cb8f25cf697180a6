//! The one integration binary.

mod sandbox;
mod sandbox_campaign;
mod sandbox_dynamics;
mod sandbox_faults;
