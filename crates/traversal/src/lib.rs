//! natbed-traversal
