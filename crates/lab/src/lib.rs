//! natbed's laboratory: scenario files in, results and explanations out.

pub mod oracle;
pub mod scenario;
