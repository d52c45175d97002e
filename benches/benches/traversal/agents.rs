//! Two ICE agents face to face.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use is::stun::{StunMessage, StunPacket};
use is::{Candidate, IceAgent, IceAgentEvent, IceCreds, Protocol};
use natbed_benches::Bench;
use natbed_packet::{Endpoint, Timestamp};
use natbed_traversal::Transmit;
use natbed_traversal::ice::{Agent, Config, Event, Role};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

/// The sockets of either agent.
const SOCKETS: [[Endpoint; 2]; 2] = [
    [Endpoint::v4(192, 0, 2, 1, 5000), Endpoint::v4(192, 0, 2, 2, 5000)],
    [Endpoint::v4(192, 0, 2, 3, 5000), Endpoint::v4(192, 0, 2, 4, 5000)],
];

pub(crate) fn measure(bench: &mut Bench) {
    let work = "two ICE agents, two host candidates each";
    bench.measure(
        work,
        "natbed",
        || 0,
        |seed, count| {
            for _ in 0..count {
                *seed += 2;
                natbed(*seed);
            }
            count
        },
    );
    #[expect(clippy::disallowed_methods, reason = "the other stack's agents want an epoch of std's clock")]
    bench.measure(work, "is", Instant::now, |epoch, count| {
        for _ in 0..count {
            theirs(*epoch);
        }
        count
    });
}

fn natbed(seed: u64) {
    let mut now = Timestamp::ZERO;
    let mut agents = [Role::Controlling, Role::Controlled].map(|role| {
        let rng = Xoshiro256PlusPlus::seed_from_u64(seed + u64::from(role == Role::Controlled));
        Agent::new(Config::new(role), rng)
    });
    let credentials = [agents[0].credentials().clone(), agents[1].credentials().clone()];
    for (side, agent) in agents.iter_mut().enumerate() {
        agent.set_remote_credentials(now, &credentials[1 - side]);
        for socket in SOCKETS[side] {
            agent.add_local(now, socket);
        }
        agent.gather(now);
    }
    let mut selected = [false; 2];
    let mut flying: VecDeque<(usize, Transmit)> = VecDeque::new();
    loop {
        for side in 0..2 {
            while let Some(event) = agents[side].poll_event() {
                match event {
                    Event::LocalCandidate { candidate, .. } => {
                        agents[1 - side].add_remote_candidate(now, candidate);
                    }
                    Event::EndOfCandidates { .. } => agents[1 - side].end_of_remote_candidates(now),
                    Event::Selected(_) => selected[side] = true,
                    _ => {}
                }
            }
            while let Some(transmit) = agents[side].poll_transmit() {
                flying.push_back((1 - side, transmit));
            }
        }
        if selected == [true; 2] {
            return;
        }
        if let Some((side, transmit)) = flying.pop_front() {
            agents[side].handle_input(now, transmit.to, transmit.from, &transmit.payload);
            continue;
        }
        now = agents.iter().filter_map(Agent::poll_timeout).min().expect("an agent at work has a timer");
        for agent in &mut agents {
            if agent.poll_timeout().is_some_and(|due| due <= now) {
                agent.handle_timeout(now);
            }
        }
    }
}

fn theirs(epoch: Instant) {
    let mut now = epoch;
    let credentials = [IceCreds::new(), IceCreds::new()];
    let mut agents = [0, 1].map(|side| {
        let mut agent = IceAgent::new(credentials[side].clone());
        agent.set_controlling(side == 0);
        agent.set_remote_credentials(credentials[1 - side].clone());
        for (sockets, local) in [(SOCKETS[side], true), (SOCKETS[1 - side], false)] {
            for socket in sockets {
                let candidate = Candidate::host(socket.into(), "udp").expect("a host candidate");
                if local {
                    agent.add_local_candidate(candidate);
                } else {
                    agent.add_remote_candidate(candidate);
                }
            }
        }
        agent.handle_timeout(now);
        agent
    });
    let mut selected = [false; 2];
    let mut flying = VecDeque::new();
    loop {
        for side in 0..2 {
            while let Some(event) = agents[side].poll_event() {
                selected[side] |= matches!(event, IceAgentEvent::NominatedSend { .. });
            }
            while let Some(transmit) = agents[side].poll_transmit() {
                flying.push_back((1 - side, transmit));
            }
        }
        if selected == [true; 2] {
            return;
        }
        if let Some((side, transmit)) = flying.pop_front() {
            let message = StunMessage::parse(&transmit.contents).expect("a STUN message");
            let (source, destination) = (transmit.source, transmit.destination);
            agents[side]
                .handle_packet(now, StunPacket { proto: Protocol::Udp, source, destination, message });
            continue;
        }
        let due = agents.iter_mut().filter_map(IceAgent::poll_timeout).min();
        now = due.expect("an agent at work has a timer").max(now + Duration::from_nanos(1));
        for agent in &mut agents {
            agent.handle_timeout(now);
        }
    }
}
