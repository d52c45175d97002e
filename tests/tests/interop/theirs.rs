//! The other side as programs on hosts: `turn-server-proto`'s server and `turn-client-proto`'s client.

use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::Bytes;
use natbed_net::{Input, Output, Program};
use natbed_packet::{Datagram, Endpoint, Timestamp};
use natbed_traversal::stun::{Attribute, AttributeType, Builder, Key, Message, PasswordAlgorithm};
use stun_proto::Instant;
use stun_proto::agent::Transmit;
use turn_client_proto::api::{TurnClientApi, TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet};
use turn_client_proto::udp::TurnClientUdp;
use turn_server_proto::api::{TurnServerApi, TurnServerPollRet};
use turn_server_proto::server::TurnServer;
use turn_types::transmit::TransmitBuild;
use turn_types::{TransportType, TurnCredentials};

use crate::ours::{Act, Script, Told, udp};
use crate::{PASSWORD, REALM, SERVER, USER};

fn instant(now: Timestamp) -> Instant {
    Instant::from_nanos(i64::try_from(now.as_nanos()).unwrap())
}

fn timestamp(instant: Instant) -> Timestamp {
    Timestamp::from_nanos(u64::try_from(instant.as_nanos()).unwrap())
}

fn send<T: AsRef<[u8]>>(transmit: &Transmit<T>) -> Output {
    let payload = Bytes::copy_from_slice(transmit.data.as_ref());
    Output::Send(Datagram::udp(transmit.from.into(), transmit.to.into(), payload))
}

/// What becomes of the NONCE in their server's responses to authentic requests, which RFC 8489 section 9.2.4 does not
/// ask for, and section 9.2.5 has a client ignore as it comes without PASSWORD-ALGORITHMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nonces {
    /// It is sent.
    Sent,
    /// It is left out, and the rest signed anew.
    Left,
}

/// Their server, which the network gives relayed ports from 50000 on.
pub(crate) struct TheirServer {
    server: TurnServer,
    nonces: Nonces,
    next_port: u16,
    wake: Option<Timestamp>,
    outputs: VecDeque<Output>,
}

impl TheirServer {
    pub(crate) fn new(nonces: Nonces) -> Self {
        let mut server = TurnServer::new(TransportType::Udp, SERVER.into(), REALM.to_owned());
        server.add_user(USER.to_owned(), PASSWORD.to_owned());
        Self { server, nonces, next_port: 50_000, wake: None, outputs: VecDeque::new() }
    }

    fn send(&mut self, transmit: &Transmit<Vec<u8>>) {
        let mut mended = Vec::new();
        let transmit = match Message::parse(&transmit.data) {
            Ok(message) if self.nonces == Nonces::Left && leave_nonce(&message, &mut mended) => {
                &Transmit::new(mended, transmit.transport, transmit.from, transmit.to)
            }
            _ => transmit,
        };
        self.outputs.push_back(send(transmit));
    }

    /// Takes over all that it wants.
    fn drain(&mut self, now: Timestamp) {
        loop {
            let polled = self.server.poll(instant(now));
            while let Some(transmit) = self.server.poll_transmit(instant(now)) {
                self.send(&transmit);
            }
            match polled {
                TurnServerPollRet::AllocateSocket {
                    transport,
                    listen_addr,
                    client_addr,
                    allocation_transport,
                    family,
                } => {
                    let relayed = Endpoint::new(SERVER.ip, self.next_port);
                    self.next_port += 1;
                    self.outputs.push_back(Output::Bind(relayed));
                    let socket = Ok(SocketAddr::from(relayed));
                    let (server, now) = (&mut self.server, instant(now));
                    server.allocated_socket(
                        transport,
                        listen_addr,
                        client_addr,
                        allocation_transport,
                        family,
                        socket,
                        now,
                    );
                }
                TurnServerPollRet::SocketClose { listen_addr, .. } => {
                    self.outputs.push_back(Output::Unbind(listen_addr.into()));
                }
                TurnServerPollRet::TcpConnect { .. } | TurnServerPollRet::TcpClose { .. } => {}
                TurnServerPollRet::WaitUntil(at) => {
                    self.wake = Some(timestamp(at)).filter(|at| *at > now);
                    return;
                }
            }
        }
    }
}

/// Writes a response with integrity once more without NONCE; `false` if it has none.
fn leave_nonce(message: &Message<'_>, mended: &mut Vec<u8>) -> bool {
    if message.nonce().is_none() || !message.has_integrity() {
        return false;
    }
    let dropped = [
        AttributeType::NONCE,
        AttributeType::REALM,
        AttributeType::PASSWORD_ALGORITHM,
        AttributeType::MESSAGE_INTEGRITY_SHA256,
        AttributeType::FINGERPRINT,
    ];
    let mut builder = Builder::new(mended, message.class(), message.method(), message.transaction_id());
    for (kind, value) in message.raw_attributes().filter(|(kind, _)| !dropped.contains(kind)) {
        builder.attribute(Attribute::Other(kind, value));
    }
    builder.integrity(&Key::long_term_sha256(PasswordAlgorithm::Sha256, USER, REALM, PASSWORD));
    true
}

impl Program for TheirServer {
    type Event = Told;

    fn handle_input(&mut self, now: Timestamp, input: Input) {
        if let Some((from, to, payload)) = udp(input) {
            let transmit = Transmit::new(payload, TransportType::Udp, from.into(), to.into());
            if let Some(reply) = self.server.recv(transmit, instant(now)) {
                self.send(&reply.build());
            }
        }
        self.drain(now);
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        self.drain(now);
    }

    fn poll_transmit(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_event(&mut self) -> Option<Told> {
        None
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.wake
    }
}

/// Their client, at work on a script.
pub(crate) struct TheirClient {
    local: Endpoint,
    password: String,
    client: Option<TurnClientUdp>,
    script: Script,
    wake: Option<Timestamp>,
    outputs: VecDeque<Output>,
    told: VecDeque<Told>,
}

impl TheirClient {
    pub(crate) fn new(local: Endpoint, password: &str, script: Script) -> Self {
        let (wake, outputs, told) = (None, VecDeque::new(), VecDeque::new());
        Self { local, password: password.to_owned(), client: None, script, wake, outputs, told }
    }

    fn act(&mut self, now: Timestamp, act: Act) {
        let Some(client) = &mut self.client else { return };
        let (udp, at) = (TransportType::Udp, instant(now));
        let failed = match act {
            Act::Permit(peer) => client.create_permission(udp, peer.ip, at).err().map(|why| why.to_string()),
            Act::Bind(peer) => client.bind_channel(udp, peer.into(), at).err().map(|why| why.to_string()),
            Act::Close => client.delete(at).err().map(|why| why.to_string()),
            Act::Send(peer, text) => match client.send_to(udp, peer.into(), text.as_bytes(), at) {
                Ok(transmit) => {
                    self.outputs.extend(transmit.map(TransmitBuild::build).map(|transmit| send(&transmit)));
                    None
                }
                Err(why) => Some(why.to_string()),
            },
        };
        self.told.extend(failed.map(Told::Failed));
    }

    /// Takes over all that it wants and tells.
    fn drain(&mut self, now: Timestamp) {
        let Some(client) = &mut self.client else { return };
        let polled = client.poll(instant(now));
        while let Some(transmit) = client.poll_transmit(instant(now)) {
            self.outputs.push_back(send(&transmit));
        }
        self.wake = match polled {
            TurnPollRet::WaitUntil(at) => Some(timestamp(at)).filter(|at| *at > now),
            _ => None,
        };
        while let Some(data) = client.poll_recv(instant(now)) {
            self.told.push_back(Told::Received(data.peer.into(), Bytes::copy_from_slice(data.data())));
        }
        while let Some(event) = client.poll_event() {
            self.told.extend(match event {
                TurnEvent::AllocationCreated(_, relayed) => Some(Told::Allocated(relayed.into())),
                TurnEvent::ChannelCreated(..) => Some(Told::ChannelBound),
                TurnEvent::PermissionCreated(..) | TurnEvent::TcpConnected(_) => None,
                failed => Some(Told::Failed(format!("{failed:?}"))),
            });
        }
    }
}

impl Program for TheirClient {
    type Event = Told;

    fn handle_input(&mut self, now: Timestamp, input: Input) {
        if input == Input::Start {
            let mut config = TurnConfig::new(TurnCredentials::new(USER, &self.password));
            config.add_supported_integrity(stun_types::message::IntegrityAlgorithm::Sha256);
            self.client = Some(TurnClientUdp::allocate(self.local.into(), SERVER.into(), config));
        } else if let (Some(client), Some((from, to, payload))) = (&mut self.client, udp(input)) {
            let transmit = Transmit::new(payload, TransportType::Udp, from.into(), to.into());
            if let TurnRecvRet::PeerData(data) = client.recv(transmit, instant(now)) {
                let payload = Bytes::copy_from_slice(data.data());
                self.told.push_back(Told::Received(data.peer.into(), payload));
            }
        }
        self.drain(now);
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        while let Some(act) = self.script.due(now) {
            self.act(now, act);
        }
        self.drain(now);
    }

    fn poll_transmit(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_event(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.wake.into_iter().chain(self.script.next()).min()
    }
}
