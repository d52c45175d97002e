//! Agents of other people's: under what name a scenario asks for them, and how they are made.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use natbed_net::{Program, ProgramId};
use natbed_packet::Endpoint;
use natbed_traversal::ice;
use rand_xoshiro::Xoshiro256PlusPlus;
use thiserror::Error;

use super::PeerEvent;
use crate::diagnose::{did_you_mean, quoted};

/// The name of this project's own agent.
pub const NATIVE: &str = "native";

/// Agents that the feature `adapters` of the binary brings in: words of the scenario format, whether they are there or
/// not.
const WITH_ADAPTERS: [&str; 3] = ["is", "rice", "webrtc"];

/// A program of somebody else's on a host: it gets datagrams and messages, and sends them, as every program does.
///
/// As one side of a connection it tells what happens in the words of [`PeerEvent`]: [`ice::Event::Selected`] makes the
/// connection, [`ice::Event::Failed`] gives it up, [`ice::Event::ConsentLost`] ends it. The rest is for the event log and
/// the explanation, which say as much as they are told. The initiator gets [`natbed_net::Input::Start`] when the connection
/// begins; the other side first hears of it by a message of the initiator's.
pub trait Guest: Program<Event = PeerEvent> + Any + Send {
    /// Tells one side of a connection where it is, before anything else. Nothing calls it on other programs.
    fn place(&mut self, surroundings: Surroundings) {
        drop(surroundings);
    }
}

/// What one side of a connection is told about its surroundings before it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// Its sockets, one on each address that it gathers on.
    pub local: Vec<Endpoint>,
    /// The other side of the connection.
    pub other: ProgramId,
}

/// What an agent is made from.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The name of its host.
    pub host: String,
    /// Whether it is the side that begins. Its role is mostly that of the initiator, but a scenario may have it otherwise.
    pub initiator: bool,
    /// Its role, servers and settings, as far as it can heed them.
    pub config: ice::Config,
    /// The text that the initiator is to send over a data channel, and the other side to send back; `None` where the
    /// connection has no channel.
    pub channel: Option<String>,
    /// Its random numbers; nothing else may draw them.
    pub rng: Xoshiro256PlusPlus,
    /// Random numbers for its [`Negotiation`](super::Negotiation), so that these change none of the others.
    pub naming: Xoshiro256PlusPlus,
}

type Make = dyn Fn(Setup) -> Box<dyn Guest> + Send + Sync;

/// The agents that a scenario may ask for by name, besides `native`.
///
/// ```
/// use natbed_lab::peer::{Registry, Setup};
/// # use natbed_lab::peer::{Guest, PeerEvent};
/// # use natbed_net::{Input, Output, Program};
/// # use natbed_packet::Timestamp;
/// # struct Mute;
/// # impl Program for Mute {
/// #     type Event = PeerEvent;
/// #     fn handle_input(&mut self, _: Timestamp, _: Input) {}
/// #     fn handle_timeout(&mut self, _: Timestamp) {}
/// #     fn poll_transmit(&mut self) -> Option<Output> { None }
/// #     fn poll_event(&mut self) -> Option<PeerEvent> { None }
/// #     fn poll_timeout(&self) -> Option<Timestamp> { None }
/// # }
/// # impl Guest for Mute {}
/// let mut registry = Registry::new();
/// registry.add("mute", |_: Setup| Box::new(Mute));
/// let text = "format = 1\n[host.a]\nagent = 'mute'\n[host.b]\n[[connect]]\nfrom = 'a'\nto = 'b'\nexpect = 'fail'\n";
/// let scenario = natbed_lab::scenario::parse_with(text.as_bytes(), &registry).unwrap();
/// assert!(natbed_lab::run::run_with(&scenario, &Default::default(), &registry)?.met());
/// # Ok::<(), natbed_lab::lower::LowerError>(())
/// ```
#[derive(Default)]
pub struct Registry {
    makers: BTreeMap<String, Box<Make>>,
    /// Those that have data channels.
    with_channels: BTreeSet<String>,
    /// Those that talk with their own kind alone.
    apart: BTreeSet<String>,
}

impl Registry {
    /// One that knows `native` alone.
    pub const fn new() -> Self {
        Self { makers: BTreeMap::new(), with_channels: BTreeSet::new(), apart: BTreeSet::new() }
    }

    /// Adds the agent `name`, which `make` makes, in place of any that had this name; `native` stays what it is.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        make: impl Fn(Setup) -> Box<dyn Guest> + Send + Sync + 'static,
    ) {
        let name = name.into();
        self.with_channels.remove(&name);
        self.apart.remove(&name);
        self.makers.insert(name, Box::new(make));
    }

    /// As [`Registry::add`], for an agent that has data channels: it heeds [`Setup::channel`] and tells of it by
    /// [`PeerEvent::Channel`].
    pub fn add_with_channels(
        &mut self,
        name: impl Into<String>,
        make: impl Fn(Setup) -> Box<dyn Guest> + Send + Sync + 'static,
    ) {
        let name = name.into();
        self.add(name.clone(), make);
        self.with_channels.insert(name);
    }

    /// Says of an agent that it talks with its own kind alone, as what it signals is nothing that others understand.
    pub fn keep_apart(&mut self, name: &str) {
        self.apart.insert(name.to_owned());
    }

    /// Whether agents of these names can talk with each other.
    pub fn understand(&self, one: &str, other: &str) -> bool {
        one == other || !(self.apart.contains(one) || self.apart.contains(other))
    }

    /// Whether the agent of this name has data channels.
    pub fn has_channels(&self, name: &str) -> bool {
        self.with_channels.contains(name)
    }

    /// Every name that there is an agent for, `native` first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(NATIVE).chain(self.makers.keys().map(String::as_str).filter(|name| *name != NATIVE))
    }

    /// Whether there is an agent of this name.
    ///
    /// # Errors
    /// When there is none, with what to do about it.
    pub fn check(&self, name: &str) -> Result<(), UnknownAgent> {
        if self.names().any(|known| known == name) { Ok(()) } else { Err(self.unknown(name)) }
    }

    /// The agent `name`, which is not `native`.
    pub(crate) fn make(&self, name: &str, setup: Setup) -> Result<Box<dyn Guest>, UnknownAgent> {
        self.makers.get(name).map(|make| make(setup)).ok_or_else(|| self.unknown(name))
    }

    fn unknown(&self, name: &str) -> UnknownAgent {
        let absent = WITH_ADAPTERS.contains(&name);
        let help = if absent {
            "build natbed with `--features adapters`".to_owned()
        } else {
            let near = did_you_mean(name, self.names().chain(WITH_ADAPTERS));
            near.map_or_else(|| self.all(), |near| format!("did you mean `{near}`?"))
        };
        UnknownAgent { name: name.to_owned(), absent, help }
    }

    /// What there is, in a sentence.
    fn all(&self) -> String {
        let list = |names: &[&str]| {
            let quoted: Vec<String> = names.iter().map(|name| quoted(name)).collect();
            match quoted.as_slice() {
                [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
                _ => quoted.concat(),
            }
        };
        let names: Vec<&str> = self.names().collect();
        let absent: Vec<&str> = WITH_ADAPTERS.into_iter().filter(|name| !names.contains(name)).collect();
        match absent.as_slice() {
            [] => format!("there are {}", list(&names)),
            absent if names.len() == 1 => {
                format!("there are `{NATIVE}` and, with the feature `adapters`, {}", list(absent))
            }
            absent => {
                format!("there are {}; with the feature `adapters`, {} too", list(&names), list(absent))
            }
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// A name that no agent has.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("there is no agent {}: {help}", quoted(.name))]
pub struct UnknownAgent {
    /// The name.
    pub name: String,
    /// Whether there is such an agent in a binary that is built with it.
    pub absent: bool,
    /// What to do.
    pub help: String,
}
