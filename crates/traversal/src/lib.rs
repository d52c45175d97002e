//! STUN, TURN and ICE as sans-IO state machines.

pub mod stun;
