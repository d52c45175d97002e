//! natbed's laboratory: scenario files in, results and explanations out.

pub mod classify;
pub mod diagnose;
pub mod explain;
#[cfg(feature = "proptest")]
pub mod kit;
pub mod log;
pub mod lower;
pub mod matrix;
pub mod oracle;
pub mod outcome;
pub mod pcap;
pub mod peer;
pub mod quantity;
pub mod report;
pub mod run;
pub mod scenario;
pub mod sweep;
pub mod what_if;
