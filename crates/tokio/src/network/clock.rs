//! How tokio's clock and the network's agree.
//!
//! tokio's timers fire on whole milliseconds of the clock that they count by, rounded up; the network's events are due at
//! any nanosecond. While no task has anything to do, [`Network::pump`] moves both clocks:
//!
//! 1. It processes what is due now. If that wakes a task, the task runs first.
//! 2. It looks when the network's next event is due.
//! 3. If that is within the millisecond that has begun, it moves tokio's clock there: no timer can lie between.
//! 4. Else, if the clock stands within a millisecond, it moves it to the end of that: timers that fire there come first.
//! 5. Else it sets a timer for the millisecond of the event, and leaves it to tokio's auto-advance to go there, or to an
//!    earlier timer of the program's.
//!
//! So events of the network happen at their nanosecond and timers at their millisecond, in the order of time.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use natbed_packet::Timestamp;
use tokio::time::{Instant, advance, sleep_until};

use super::{Network, State};
use crate::harness::Stuck;
use crate::kernel::Kernel;
use crate::socket::drained_at;

/// The granularity of tokio's timers.
const TICK: u64 = 1_000_000;

impl Network {
    /// To be called whenever the runtime is about to park: moves time on until a task has something to do, or a timer is
    /// needed.
    pub(crate) fn pump(&self) {
        let mut state = self.lock();
        loop {
            let now = self.clock();
            let simulator = state.simulator_mut();
            simulator.run_until(now);
            while simulator.poll_event().is_some() {}
            state.drain_buffers(now);
            if !self.0.bell.is_empty() {
                break;
            }
            if now >= state.pace.limit {
                state.give_up();
                break;
            }
            let next = state.next();
            let boundary = Timestamp::from_nanos((now.as_nanos() / TICK + 1) * TICK);
            if next < boundary {
                move_clock(next - now);
            } else if !now.as_nanos().is_multiple_of(TICK) {
                move_clock(boundary - now);
                break;
            } else {
                let at = next.as_nanos() / TICK * TICK;
                state.pace.stop_at(self.0.epoch + Duration::from_nanos(at));
                break;
            }
        }
        drop(state);
        self.0.bell.ring();
    }

    /// Polls `main`, the future that the harness runs; an error if nothing will come of it.
    pub(crate) fn poll_main<T>(
        &self,
        cx: &mut Context<'_>,
        main: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<Result<T, Stuck>> {
        if let Poll::Ready(output) = main(cx) {
            return Poll::Ready(Ok(output));
        }
        let mut state = self.lock();
        if !std::mem::take(&mut state.pace.given_up) {
            state.pace.main = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Err(state.stuck()))
    }

    /// Lets go of what belongs to the runtime.
    pub(crate) fn detach(&self) {
        let pace = &mut self.lock().pace;
        (pace.sleep, pace.main) = (None, None);
    }
}

impl State {
    /// When something is due next, apart from tokio's timers.
    fn next(&self) -> Timestamp {
        let Self { pace, run, .. } = self;
        let network = run.lowered.simulator.next_event();
        network.into_iter().chain(pace.drained).fold(pace.limit, Timestamp::min)
    }

    /// Notes that a socket waits for its send buffer to drain.
    pub(crate) fn await_drain(&mut self) {
        let at = drained_at(self.simulator().now());
        self.pace.drained.get_or_insert(at);
    }

    fn drain_buffers(&mut self, now: Timestamp) {
        if self.pace.drained.is_some_and(|at| at <= now) {
            self.pace.drained = None;
            for id in self.kernels.values().copied().collect::<Vec<_>>() {
                self.kernel(id, Kernel::release_writers);
            }
        }
    }

    fn give_up(&mut self) {
        self.pace.given_up = true;
        if let Some(main) = self.pace.main.take() {
            main.wake();
        }
    }

    fn stuck(&mut self) -> Stuck {
        let mut waiting = Vec::new();
        for (node, id) in self.kernels.clone() {
            let endpoints: Vec<_> = self.kernel(id, |kernel| kernel.awaited().collect());
            let name = self.simulator().node_name(node);
            waiting.extend(endpoints.iter().map(|endpoint| format!("{name} at {endpoint}")));
        }
        Stuck { limit: self.pace.limit - Timestamp::ZERO, waiting }
    }
}

impl super::Pace {
    /// Has auto-advance go no further than `at`.
    fn stop_at(&mut self, at: Instant) {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        sleep.as_mut().reset(at);
        // Polled to register it. Nobody has to be woken: after it has fired, the runtime comes back to the pump.
        let _ = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
}

/// Moves tokio's clock, which must not pass a timer.
fn move_clock(by: Duration) {
    // `advance` moves the clock when it is first polled, and then only yields.
    let _ = pin!(advance(by)).poll(&mut Context::from_waker(Waker::noop()));
}
