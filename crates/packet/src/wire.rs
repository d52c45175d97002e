//! The byte form of datagrams.
