//! The network that sockets and harness share, and its clock.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use natbed_lab::diagnose::did_you_mean;
use natbed_lab::explain::{Explanation, explain_host};
use natbed_lab::peer::Peer;
use natbed_lab::run::{Run, Tables};
use natbed_lab::scenario::Scenario;
use natbed_lab::{log, pcap};
use natbed_net::trace::Event;
use natbed_net::{DropReason, Fault, NodeId, ProgramId, Simulator};
use natbed_packet::{Datagram, Timestamp};
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{Instant, Sleep};

use crate::host::Host;
use crate::kernel::{Bell, Kernel};

mod clock;

/// A virtual network in motion. It is a handle: clones are the same network.
///
/// What it shows is made from the event log, unless [`crate::Options::log`] is off.
#[derive(Clone)]
pub struct Network(Arc<Shared>);

struct Shared {
    /// The instant of tokio's clock at which the network's time is zero.
    epoch: Instant,
    bell: Bell,
    state: Mutex<State>,
}

/// What is under the lock.
pub(crate) struct State {
    run: Run,
    scenario: Scenario,
    names: BTreeMap<String, NodeId>,
    kernels: BTreeMap<NodeId, ProgramId>,
    tasks: BTreeMap<NodeId, Vec<AbortHandle>>,
    pace: Pace,
}

/// What keeps tokio's clock and the network's in step.
struct Pace {
    /// Where auto-advance stops next.
    sleep: Option<Pin<Box<Sleep>>>,
    /// When sockets whose send buffer is full may send again.
    drained: Option<Timestamp>,
    /// When to give up.
    limit: Timestamp,
    given_up: bool,
    /// Whom to wake after giving up.
    main: Option<Waker>,
}

/// A name that nothing on the network has.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no {kind} of the network is called `{name}`{}", hint(.near))]
pub struct UnknownName {
    kind: &'static str,
    name: String,
    near: Option<String>,
}

fn hint(near: &Option<String>) -> String {
    near.as_ref().map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// A datagram that did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// When it came to its end.
    pub time: Timestamp,
    /// The name of the node or network that dropped it.
    pub place: String,
    /// Why.
    pub reason: DropReason,
    /// The datagram as it was then.
    pub datagram: Datagram,
}

impl Network {
    pub(crate) fn new(scenario: Scenario, run: Run, limit: Timestamp, epoch: Instant) -> Self {
        let pace = Pace { sleep: None, drained: None, limit, given_up: false, main: None };
        let simulator = &run.lowered.simulator;
        let name = |node| (simulator.node_name(node).to_owned(), node);
        let names = simulator.node_ids().map(name).collect();
        let (kernels, tasks) = (BTreeMap::new(), BTreeMap::new());
        let state = Mutex::new(State { run, scenario, names, kernels, tasks, pace });
        Self(Arc::new(Shared { epoch, bell: Bell::default(), state }))
    }

    /// The host of this name; a server is one too.
    ///
    /// # Errors
    /// When there is none.
    pub fn host(&self, name: &str) -> Result<Host, UnknownName> {
        self.with(|state| {
            let node = state.find("host", name, |node| state.simulator().nat(node).is_none())?;
            let kernel = *state.kernels.entry(node).or_insert_with(|| {
                let kernel = Peer::Other(Box::new(Kernel::new(self.0.bell.clone())));
                state.run.lowered.simulator.add_program(node, kernel)
            });
            Ok(Host::new(self.clone(), node, kernel, name))
        })
    }

    /// The node of this name: a host, server or NAT.
    ///
    /// # Errors
    /// When there is none.
    pub fn node(&self, name: &str) -> Result<NodeId, UnknownName> {
        self.with(|state| state.find("node", name, |_| true))
    }

    /// The network's time: what tokio's clock shows since the harness was made.
    pub fn now(&self) -> Timestamp {
        self.with(|state| state.simulator().now())
    }

    /// Has a fault strike now.
    pub fn inject(&self, fault: &Fault) {
        self.with(|state| state.simulator_mut().inject(fault));
    }

    /// Has a fault strike at that time.
    pub fn schedule(&self, at: Timestamp, fault: Fault) {
        self.with(|state| state.simulator_mut().schedule(at, fault));
    }

    /// Lets `look` see the run as it stands: the event log, counts, the simulator.
    ///
    /// The network is locked meanwhile: nothing in `look` may use it or a socket.
    pub fn inspect<R>(&self, look: impl FnOnce(&Run) -> R) -> R {
        self.with(|state| look(&state.run))
    }

    /// Every NAT's table as it stands, in the order of the scenario.
    pub fn tables(&self) -> Tables {
        self.inspect(|run| Tables::take(&run.lowered))
    }

    /// Every datagram that did not arrive so far, in order.
    pub fn drops(&self) -> Vec<Dropped> {
        self.inspect(|run| {
            let drops = run.log().iter().filter_map(|record| match &record.event {
                Event::Dropped { datagram, reason, .. } => Some(Dropped {
                    time: record.time,
                    place: run.place(record.place).to_owned(),
                    reason: *reason,
                    datagram: datagram.clone(),
                }),
                _ => None,
            });
            drops.collect()
        })
    }

    /// Writes the event log as JSON Lines: what `natbed run --trace` writes.
    ///
    /// # Errors
    /// When `out` cannot be written to.
    pub fn trace(&self, mut out: impl Write) -> io::Result<()> {
        self.inspect(|run| log::write_jsonl(run, &mut out))
    }

    /// Writes a capture for Wireshark: what `natbed run --pcap` writes.
    ///
    /// # Errors
    /// When `out` cannot be written to.
    pub fn pcap(&self, out: impl Write) -> io::Result<()> {
        self.inspect(|run| pcap::write(run, out))
    }

    /// What became of every datagram that programs on `host` sent: each NAT that rewrote or dropped it, with the rule and
    /// the table entry. It prints as text.
    ///
    /// # Errors
    /// When there is no such host.
    pub fn explain(&self, host: &str) -> Result<Explanation, UnknownName> {
        let node = self.node(host)?;
        Ok(self.with(|state| explain_host(&state.scenario, &state.run, node)))
    }

    /// Lets `act` use the state, its clock set; then wakes who has been waiting for what came of it.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        if Handle::try_current().is_ok() {
            state.simulator_mut().advance_to(self.clock());
        }
        let result = act(&mut state);
        drop(state);
        self.0.bell.ring();
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn clock(&self) -> Timestamp {
        Timestamp::ZERO + Instant::now().saturating_duration_since(self.0.epoch)
    }
}

impl State {
    pub(crate) fn simulator(&self) -> &Simulator<Peer> {
        &self.run.lowered.simulator
    }

    pub(crate) fn simulator_mut(&mut self) -> &mut Simulator<Peer> {
        &mut self.run.lowered.simulator
    }

    /// Lets `act` use a host's sockets.
    pub(crate) fn kernel<R>(&mut self, id: ProgramId, act: impl FnOnce(&mut Kernel) -> R) -> R {
        self.simulator_mut().with_program(id, |peer, _| {
            act(peer.guest_mut::<Kernel>().expect("the program of a host's sockets"))
        })
    }

    /// The addresses of the node of that name, as they are now.
    pub(crate) fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, UnknownName> {
        let node = self.find("node", name, |_| true)?;
        Ok(self.simulator().addresses(node).collect())
    }

    /// Remembers a task of a host's, to end it with the host.
    pub(crate) fn adopt(&mut self, host: NodeId, task: AbortHandle) {
        let tasks = self.tasks.entry(host).or_default();
        if tasks.len() == tasks.capacity() {
            tasks.retain(|task| !task.is_finished());
        }
        tasks.push(task);
    }

    /// Ends a host's sockets; its tasks, which have to end too.
    pub(crate) fn halt(&mut self, host: NodeId, kernel: ProgramId) -> Vec<AbortHandle> {
        self.kernel(kernel, Kernel::stop);
        self.tasks.remove(&host).unwrap_or_default()
    }

    /// The node of that name if it is `wanted`; `kind` is what is looked for.
    fn find(
        &self,
        kind: &'static str,
        name: &str,
        wanted: impl Fn(NodeId) -> bool,
    ) -> Result<NodeId, UnknownName> {
        self.names.get(name).copied().filter(|node| wanted(*node)).ok_or_else(|| {
            let names = self.names.iter().filter(|(_, node)| wanted(**node)).map(|(name, _)| name.as_str());
            let near = did_you_mean(name, names).map(str::to_owned);
            UnknownName { kind, name: name.to_owned(), near }
        })
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").finish_non_exhaustive()
    }
}
