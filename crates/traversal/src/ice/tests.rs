//! The agent as a whole, on a small network in virtual time.

mod conclude;
mod connect;
mod gather;
mod hostile;
mod keep;
mod pairs;
mod roles;
mod trickle;
mod world;
