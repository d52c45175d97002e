//! What can come of a connection.

use std::fmt;

/// A connection's fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The selected pair has no relay in it.
    Direct,
    /// A transport address of the selected pair belongs to a TURN allocation.
    Relay,
    /// No pair was selected.
    Fail,
}

impl Outcome {
    /// `direct`, `relay` or `fail`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Relay => "relay",
            Self::Fail => "fail",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
