//! Hosts: which one a task runs on, and what runs on it.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;

use natbed_net::{Fault, NodeId, ProgramId};
use natbed_packet::Endpoint;
use tokio::task::JoinHandle;

use crate::errno::Errno;
use crate::names::ToSocketAddrs;
use crate::network::Network;
use crate::udp::UdpSocket;

tokio::task_local! {
    /// The host that a task runs on.
    static HERE: Host;
}

/// A host of the network. It is a handle: clones are the same host.
#[derive(Clone)]
pub struct Host {
    network: Network,
    node: NodeId,
    kernel: ProgramId,
    name: Arc<str>,
}

/// Spawns `future` as a task on the host that the caller runs on: what `tokio::spawn` is to a program on one machine.
///
/// # Panics
/// Outside of a host: see [`Host::run`].
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Host::current().unwrap_or_else(|error| panic!("{error}")).spawn(future)
}

impl Host {
    pub(crate) fn new(network: Network, node: NodeId, kernel: ProgramId, name: &str) -> Self {
        Self { network, node, kernel, name: name.into() }
    }

    /// The host that the caller runs on.
    ///
    /// # Errors
    /// Outside of one: the code runs neither in [`Host::run`] nor in a task that [`Host::spawn`] or [`spawn`] made.
    /// A task of `tokio::spawn` does not know where it came from.
    pub fn current() -> io::Result<Self> {
        HERE.try_with(Self::clone).map_err(|_| {
            let text = "not on a host: use Host::run, Host::spawn or natbed_tokio::spawn";
            io::Error::new(io::ErrorKind::NotFound, text)
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// `future`, run on this host: [`UdpSocket::bind`], [`crate::lookup_host`] and [`spawn`] in it mean this one.
    pub fn run<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        HERE.scope(self.clone(), future)
    }

    /// Spawns `future` as a task on this host. It ends when the host is stopped.
    ///
    /// # Panics
    /// Outside of [`crate::Harness::block_on`].
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let task = tokio::spawn(self.run(future));
        self.network.with(|state| state.adopt(self.node, task.abort_handle()));
        task
    }

    /// Binds a socket on this host.
    ///
    /// # Errors
    /// As [`UdpSocket::bind`].
    pub fn bind(&self, addr: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        let mut last = None;
        for addr in addr.resolve(&self.network)? {
            match self.bind_to(addr.into()) {
                Ok(socket) => return Ok(socket),
                Err(error) => last = Some(error),
            }
        }
        let none = || io::Error::new(io::ErrorKind::InvalidInput, "could not resolve to any address");
        Err(last.unwrap_or_else(none))
    }

    fn bind_to(&self, wanted: Endpoint) -> io::Result<UdpSocket> {
        let id = self.network.with(|state| state.bind(self.node, self.kernel, wanted))?;
        Ok(UdpSocket::new(self.clone(), id))
    }

    /// Pulls the plug: tasks of [`Host::spawn`] and [`spawn`] end, sockets are dead, and nothing answers any more. What
    /// others send here is dropped without a word.
    pub fn stop(&self) {
        let tasks = self.network.with(|state| {
            let tasks = state.halt(self.node, self.kernel);
            state.simulator_mut().inject(&Fault::Stop(self.node));
            tasks
        });
        for task in tasks {
            task.abort();
        }
    }

    /// Switches a stopped host on again. Nothing runs on it but the servers of the scenario.
    pub fn start(&self) {
        self.network.with(|state| state.simulator_mut().inject(&Fault::Start(self.node)));
    }

    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    pub(crate) fn kernel(&self) -> ProgramId {
        self.kernel
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Host").field(&self.name).finish()
    }
}

impl From<natbed_net::BindError> for Errno {
    fn from(value: natbed_net::BindError) -> Self {
        match value {
            natbed_net::BindError::InUse(_) | natbed_net::BindError::NoPort => Self::AddressInUse,
            natbed_net::BindError::NotAvailable(_) => Self::AddressNotAvailable,
        }
    }
}
