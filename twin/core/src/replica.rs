//! The machine that replicates.
