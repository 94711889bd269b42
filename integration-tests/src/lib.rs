//! Whole stacks, real peers, the seeded simulation and the bodies of the fuzz targets. Nothing here is part of a product binary.

pub mod bench;
pub mod fuzz;
pub mod harness;
pub mod powercut;
pub mod sim;
