//! Whole stacks, real peers and the seeded simulation. Nothing here is part of a product binary.

pub mod bench;
pub mod harness;
pub mod sim;
