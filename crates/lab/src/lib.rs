//! natbed-lab
