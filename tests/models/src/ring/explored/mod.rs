//! The models of rings: who meets whom, and what must come of it. Each returns if it holds, and panics if it does not.

pub mod heartbeat;
pub mod idle;
pub mod shared;
pub mod stage;
pub mod waits;
