//! The machine and the process, as both programs see them: the service manager, what the process uses, what the disk has.

pub mod disk;
pub mod process;
pub mod systemd;
