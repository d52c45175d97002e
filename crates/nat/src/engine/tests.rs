use bytes::Bytes;
use natbed_packet::Endpoint;
use rand::SeedableRng;

use super::*;
use crate::presets;

#[test]
fn a_reply_comes_back_through_the_mapping() {
    let config = Config {
        behavior: presets::lookup("symmetric").expect("a preset").behavior,
        external: vec!["203.0.113.1".parse().expect("an address")],
        internal: vec!["192.168.1.0/24".parse().expect("a prefix")],
    };
    let mut nat = Nat::new(config, Xoshiro256PlusPlus::seed_from_u64(1)).expect("a valid configuration");
    nat.always_large();
    let (alice, server) = (Endpoint::v4(192, 168, 1, 10, 5000), Endpoint::v4(198, 51, 100, 1, 3478));
    for n in 0..1000u16 {
        let server = Endpoint { port: server.port + n, ..server };
        let now = Timestamp::from_secs(n.into());
        let mut request = Datagram::udp(alice, server, Bytes::new());
        assert!(matches!(nat.outbound(now, &mut request), Outcome::Outside(f) if f.created && f.opened));
        let seen = request.source_endpoint().expect("ports");
        let mut reply = Datagram::udp(server, seen, Bytes::new());
        assert!(matches!(nat.inbound(now, &mut reply), Outcome::Inside(_)));
        assert_eq!(reply.destination_endpoint(), Some(alice));
        assert!(nat.snapshot(now).len() <= 300);
    }
}
