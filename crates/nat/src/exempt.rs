//! Packets that pass a NAT without translation, as they go to or come from a destination that is exempt from it (RFC
//! 6888 REQ-6: 'the CGN may forward packets without modification, thus acting like a plain router').
//!
//! No table is kept of them: what comes from such a destination for an address inside is let in, if routing brings it
//! this way. Packets to the NAT's own external addresses are not exempt, and hairpin.

use std::net::IpAddr;

use natbed_packet::{Datagram, Icmp, Transport};

use crate::behavior::Behavior;
use crate::tcp::Origin;

/// An address on the inside and a remote with its port, between which a packet goes.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) internal: IpAddr,
    pub(crate) remote: IpAddr,
    port: Option<u16>,
}

/// The ends of `datagram`, which comes from `origin`, if nothing between them is translated. For an ICMP error they are
/// those of the packet that it quotes, which it has to go back to the sender of. Of a fragment no port is known, hence
/// it is exempt only where all ports are.
pub(crate) fn ends(behavior: &Behavior, origin: Origin, datagram: &Datagram) -> Option<Ends> {
    let ends = match &datagram.transport {
        Transport::Icmp(Icmp::Error(error)) => {
            let quoted = &error.quoted;
            let back = quoted.source == datagram.destination;
            let ports = quoted.transport.ports();
            match origin {
                _ if !back => return None,
                Origin::Inside => {
                    let port = ports.map(|(source, _)| source);
                    Ends { internal: quoted.destination, remote: quoted.source, port }
                }
                Origin::Outside => {
                    let port = ports.map(|(_, destination)| destination);
                    Ends { internal: quoted.source, remote: quoted.destination, port }
                }
            }
        }
        transport => {
            let ports = transport.ports();
            if ports.is_some_and(|(source, destination)| source == 0 || destination == 0) {
                return None;
            }
            let ports = ports.filter(|_| !datagram.is_fragment());
            let (source, destination) = (datagram.source, datagram.destination);
            match origin {
                Origin::Inside => {
                    Ends { internal: source, remote: destination, port: ports.map(|(_, port)| port) }
                }
                Origin::Outside => {
                    Ends { internal: destination, remote: source, port: ports.map(|(port, _)| port) }
                }
            }
        }
    };
    behavior.exempt.iter().any(|exempt| exempt.contains(ends.remote, ends.port)).then_some(ends)
}
