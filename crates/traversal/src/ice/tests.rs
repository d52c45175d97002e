//! The agent as a whole, on a small network in virtual time.

mod addresses;
mod conclude;
mod connect;
mod gather;
mod hostile;
mod icmp;
mod keep;
mod lite;
mod pairs;
mod roles;
mod trickle;
mod world;
