//! The runtime: tasks on a network, in its time.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use natbed_lab::diagnose::Problems;
use natbed_lab::lower::{LowerError, Lowered, lower};
use natbed_lab::run::Run;
use natbed_lab::scenario::{Scenario, parse};
use natbed_net::{Simulator, Topology};
use natbed_packet::Timestamp;
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use crate::host::Host;
use crate::network::{Network, UnknownName};

/// A network and a tokio runtime that share one virtual clock.
///
/// The clock moves only while every task waits, and then to whatever comes first: the next event of the network or the
/// next timer. Nothing sleeps, and two runs of the same program are the same to the byte, as far as the program is: one that
/// draws random numbers from the system is not. `tokio::select!` does, unless it says `biased;`.
#[derive(Debug)]
pub struct Harness {
    runtime: Runtime,
    network: Network,
}

/// How a harness runs.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Another seed than the scenario's.
    pub seed: Option<u64>,
    /// Whether to keep the event log, from which traces, drops and explanations are made. It is by default.
    pub log: bool,
    /// Virtual time after which [`Harness::block_on`] gives up; an hour by default, thirty years at most.
    pub limit: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: None, log: true, limit: Duration::from_secs(3600) }
    }
}

/// Why there is no harness.
#[derive(Debug, Error)]
pub enum HarnessError {
    /// The scenario is not valid.
    #[error("the scenario is not valid\n{0}")]
    Scenario(Problems),
    /// The network cannot be built.
    #[error(transparent)]
    Network(#[from] LowerError),
    /// The runtime cannot be.
    #[error("tokio's runtime: {0}")]
    Runtime(#[from] io::Error),
}

/// The time limit has come, and the future has not finished.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("not finished after {limit:?} of virtual time{}", words(.waiting))]
pub struct Stuck {
    /// The time limit.
    pub limit: Duration,
    /// The sockets that a task waited for to receive: `alice at 192.168.1.2:5000`.
    pub waiting: Vec<String>,
}

/// Sockets that an error names.
const SHOWN: usize = 8;

fn words(waiting: &[String]) -> String {
    match waiting {
        [] => "; no socket waits to receive".into(),
        few if few.len() <= SHOWN => format!("; these sockets wait to receive: {}", few.join(", ")),
        many => {
            let (shown, more) = (many[..SHOWN].join(", "), many.len() - SHOWN);
            format!("; these sockets wait to receive: {shown} and {more} more")
        }
    }
}

/// As long as tokio's own idea of the far future.
const LONGEST: Duration = Duration::from_secs(86_400 * 365 * 30);

impl Harness {
    /// The network of a scenario. Its servers run, its connections and datagrams are made and its faults happen, as with
    /// `natbed run`; what it expects is not checked.
    ///
    /// # Errors
    /// When the network cannot be built.
    pub fn new(scenario: &Scenario) -> Result<Self, HarnessError> {
        Self::with(scenario, Options::default())
    }

    /// The network of a scenario file's text.
    ///
    /// # Errors
    /// Everything that is wrong with the text, each with its place.
    pub fn parse(text: &str) -> Result<Self, HarnessError> {
        Self::new(&parse(text.as_bytes()).map_err(HarnessError::Scenario)?)
    }

    /// The network of a scenario, with options.
    ///
    /// # Errors
    /// When the network cannot be built.
    pub fn with(scenario: &Scenario, options: Options) -> Result<Self, HarnessError> {
        let seed = options.seed.unwrap_or(scenario.seed);
        let lowered = lower(scenario, seed)?;
        Self::build(scenario.clone(), Run::begin(lowered, seed), options)
    }

    /// A network built by hand; the seed is 1 unless the options have one.
    ///
    /// # Errors
    /// When the network cannot be built.
    pub fn from_topology(topology: &Topology, options: Options) -> Result<Self, HarnessError> {
        let seed = options.seed.unwrap_or(1);
        let simulator = Simulator::new(topology, seed).map_err(LowerError::from)?;
        let (nats, hosts) = simulator.node_ids().partition(|node| simulator.nat(*node).is_some());
        let (servers, agents, senders) = (Vec::new(), Vec::new(), Vec::new());
        let lowered = Lowered { simulator, nats, hosts, servers, agents, senders };
        let nothing = parse(b"format = 1").map_err(HarnessError::Scenario)?;
        Self::build(nothing, Run::begin(lowered, seed), options)
    }

    fn build(scenario: Scenario, mut run: Run, options: Options) -> Result<Self, HarnessError> {
        if options.log {
            run.lowered.simulator.record();
        }
        let paced = Arc::new(OnceLock::<Network>::new());
        let hook = Arc::clone(&paced);
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .on_thread_park(move || hook.get().into_iter().for_each(Network::pump))
            .build()?;
        let epoch = {
            let _context = runtime.enter();
            Instant::now()
        };
        let limit = Timestamp::ZERO + options.limit.min(LONGEST);
        let network = Network::new(scenario, run, limit, epoch);
        paced.get_or_init(|| network.clone());
        Ok(Self { runtime, network })
    }

    /// The network, to look at and to disturb.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The host of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn host(&self, name: &str) -> Result<Host, UnknownName> {
        self.network.host(name)
    }

    /// Runs `future` to its end, and all tasks that are spawned meanwhile. Those that have not ended go on with the next
    /// call.
    ///
    /// # Panics
    /// When the time limit comes first.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.try_block_on(future).unwrap_or_else(|stuck| panic!("{stuck}"))
    }

    /// As [`block_on`](Self::block_on), without a panic.
    ///
    /// # Errors
    /// When the time limit comes first.
    pub fn try_block_on<F: Future>(&self, future: F) -> Result<F::Output, Stuck> {
        self.runtime.block_on(async {
            let mut future = pin!(future);
            std::future::poll_fn(|cx| self.network.poll_main(cx, |cx| future.as_mut().poll(cx))).await
        })
    }

    /// Lets time pass, and everything happen in it.
    pub fn run_for(&self, time: Duration) {
        self.block_on(async { tokio::time::sleep(time).await });
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        // The runtime owns the pump, which owns the network, which must not own the runtime's timer.
        self.network.detach();
    }
}
