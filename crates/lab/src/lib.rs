//! natbed's laboratory: scenario files in, results and explanations out.

pub mod diagnose;
pub mod oracle;
pub mod quantity;
pub mod scenario;
