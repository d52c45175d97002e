//! The `natbed` command.
fn main() {}
