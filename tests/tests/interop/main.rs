//! Other people's STUN and TURN as the judge: `stun-types`, `turn-types`, `turn-client-proto` and `turn-server-proto`
//! read what natbed writes, and the reverse, and talk to it over the virtual network.

mod codec;
mod ours;
mod theirs;
mod traffic;
mod turn;

use natbed_packet::Endpoint;
use natbed_traversal::stun::Key;
use stun_types::message::{LongTermKeyCredentials, MessageIntegrityCredentials};

const USER: &str = "student";
const PASSWORD: &str = "secret";
const REALM: &str = "example.org";

const SERVER: Endpoint = Endpoint::v4(198, 51, 100, 3, 3478);

/// The same long-term credentials for either side.
fn keys() -> (Key, MessageIntegrityCredentials) {
    let theirs = LongTermKeyCredentials::new(USER.to_owned(), PASSWORD.to_owned(), REALM.to_owned());
    (Key::long_term(USER, REALM, PASSWORD), theirs.into())
}
