//! Our TURN client at their server, and theirs at ours, behind a NAT on the virtual network: allocation, permission,
//! Send indication, channel, all of it kept for twenty minutes, and its end.

use bytes::Bytes;
use natbed_nat::presets;
use natbed_net::{LinkConfig, Simulator, Topology};
use natbed_packet::{Datagram, Endpoint, Timestamp};

use crate::ours::{Act, Boxed, Echo, OurClient, OurServer, Script, Told};
use crate::theirs::{Nonces, TheirClient, TheirServer};
use crate::{PASSWORD, SERVER};

const CLIENT: Endpoint = Endpoint::v4(192, 168, 1, 10, 5000);
const PEER: Endpoint = Endpoint::v4(203, 0, 113, 50, 6000);
const STRANGER: Endpoint = Endpoint::v4(203, 0, 113, 51, 6000);

const SCRIPT: [(u64, Act); 6] = [
    (1, Act::Permit(PEER)),
    (2, Act::Send(PEER, "indication")),
    (3, Act::Bind(PEER)),
    (4, Act::Send(PEER, "channel")),
    (1200, Act::Send(PEER, "later")),
    (1202, Act::Close),
];

/// What the client and the peer had to tell, in order.
struct Heard {
    client: Vec<Told>,
    peer: Vec<Told>,
}

/// Runs a client behind a port-restricted NAT, a server, a peer that echoes, and a stranger who sends to the relayed
/// address at 10 s without the client's leave.
fn run(server: Boxed, client: Boxed) -> Heard {
    let mut topology = Topology::new();
    let lan =
        topology.add_network("lan", &["192.168.1.0/24".parse().unwrap()], &["192.168.1.1".parse().unwrap()]);
    let internet = topology.internet();
    let external = ["203.0.113.1".parse().unwrap()];
    let nat = topology.add_nat("nat", internet, &external, &[lan], LinkConfig::default());
    topology.set_behavior(nat, presets::lookup("port-restricted").unwrap().behavior);
    let mut host = |name: &str, network, at: Endpoint| {
        let node = topology.add_host(name);
        topology.attach(node, network, &[at.ip], LinkConfig::default());
        node
    };
    let client_host = host("client", lan, CLIENT);
    let server_host = host("server", internet, SERVER);
    let peer_host = host("peer", internet, PEER);
    let stranger_host = host("stranger", internet, STRANGER);

    let mut network: Simulator<Boxed> = Simulator::new(&topology, 1).unwrap();
    let mut add = |node, at, program| {
        let id = network.add_program(node, program);
        network.bind(id, at).unwrap();
        network.start(id, Timestamp::ZERO);
        id
    };
    let client = add(client_host, CLIENT, client);
    add(server_host, SERVER, server);
    let peer = add(peer_host, PEER, Box::new(Echo::default()) as Boxed);
    let stranger = add(stranger_host, STRANGER, Box::new(Echo::default()) as Boxed);

    let mut heard = Heard { client: Vec::new(), peer: Vec::new() };
    for until in [10, 1300] {
        network.run_until(Timestamp::from_secs(until));
        while let Some((program, told)) = network.poll_event() {
            assert_ne!(program, stranger, "{told:?} reaches somebody without permission");
            if program == client {
                heard.client.push(told);
            } else if program == peer {
                heard.peer.push(told);
            }
        }
        if let Some(Told::Allocated(relayed)) = heard.client.first() {
            let knock = Datagram::udp(STRANGER, *relayed, Bytes::from_static(b"knock"));
            network.send(stranger, knock);
        }
    }
    heard
}

fn assert_relayed(heard: &Heard) {
    let Some(Told::Allocated(relayed)) = heard.client.first() else { panic!("{:?}", heard.client) };
    assert_eq!(relayed.ip, SERVER.ip);
    let texts = ["indication", "channel", "later"].map(|text| Bytes::from_static(text.as_bytes()));
    assert_eq!(heard.peer, texts.clone().map(|text| Told::Received(*relayed, text)));
    let [first, second, third] = texts.map(|text| Told::Received(PEER, text));
    assert_eq!(heard.client[1..], [first, Told::ChannelBound, second, third]);
}

#[test]
fn our_client_relays_through_their_server() {
    let client = OurClient::new(CLIENT, PASSWORD, Script::new(&SCRIPT));
    assert_relayed(&run(Box::new(TheirServer::new(Nonces::Left)), Box::new(client)));
}

/// "For all other responses, if the NONCE attribute starts with the 'nonce cookie' with the STUN Security Feature
/// 'Password algorithms' bit set to 1 but PASSWORD-ALGORITHMS is not present, the response MUST be ignored" (RFC 8489
/// section 9.2.5). `turn-server-proto` 0.7 sends such responses; this test notices when it no longer does.
#[test]
fn rfc8489_9_2_5_responses_with_a_cookie_but_no_algorithms_are_ignored_though_their_server_sends_them() {
    let client = OurClient::new(CLIENT, PASSWORD, Script::new(&[]));
    let heard = run(Box::new(TheirServer::new(Nonces::Sent)), Box::new(client));
    assert_eq!(heard.client, [Told::Failed("the server's responses are not authentic".to_owned())]);
}

#[test]
fn their_client_relays_through_our_server() {
    let client = TheirClient::new(CLIENT, PASSWORD, Script::new(&SCRIPT));
    assert_relayed(&run(Box::new(OurServer::new()), Box::new(client)));
}

#[test]
fn a_wrong_password_gets_no_allocation_on_either_side() {
    let nothing = Script::new(&[]);
    let ours =
        run(Box::new(TheirServer::new(Nonces::Left)), Box::new(OurClient::new(CLIENT, "wrong", nothing)));
    assert!(matches!(&ours.client[..], [Told::Failed(why)] if why.contains("401")), "{:?}", ours.client);
    let nothing = Script::new(&[]);
    let theirs = run(Box::new(OurServer::new()), Box::new(TheirClient::new(CLIENT, "wrong", nothing)));
    assert!(matches!(&theirs.client[..], [Told::Failed(_)]), "{:?}", theirs.client);
}
