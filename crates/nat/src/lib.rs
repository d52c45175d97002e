//! natbed-nat
