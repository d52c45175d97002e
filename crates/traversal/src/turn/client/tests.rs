use proptest::prelude::*;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::stun::{Attribute, Builder, ErrorCode, TransactionId};
use crate::turn::server;
use crate::turn::{ChannelData, ClientSocket, PeerSocket, RelayedAddress, Server};

mod alone;
mod shuttle;

const SERVER: Endpoint = Endpoint::v4(198, 51, 100, 3, 3478);
const LOCAL: Endpoint = Endpoint::v4(192, 168, 1, 10, 6000);
const MAPPED: Endpoint = Endpoint::v4(203, 0, 113, 1, 40_000);
const PEER: Endpoint = Endpoint::v4(203, 0, 113, 9, 5000);

fn config() -> Config {
    Config {
        server: SERVER,
        local: LOCAL,
        username: "student".to_owned(),
        password: "secret".to_owned(),
        family: Family::V4,
        schedule: Schedule::default(),
    }
}

fn rng(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}
