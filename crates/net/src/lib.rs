//! natbed-net
