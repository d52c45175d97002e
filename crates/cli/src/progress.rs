//! How far long work is, for people who wait for it, and their Ctrl-C.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work that takes less shows no bar.
const PATIENCE: Duration = Duration::from_secs(1);
/// So many steps are made between two looks at the clock.
const STRIDE: u64 = 32;

/// Whether Ctrl-C was pressed.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Work of many steps: a bar on a terminal where it takes over a second, and an end to it on Ctrl-C.
pub(crate) struct Progress {
    done: AtomicU64,
    bar: ProgressBar,
    begun: Instant,
    shown: AtomicBool,
}

impl Progress {
    /// Work of `steps` steps, which `noun` names.
    #[expect(
        clippy::disallowed_methods,
        reason = "the time that people wait is real; no result depends on it"
    )]
    pub(crate) fn new(steps: u64, noun: &str) -> Self {
        // Where it cannot be caught, Ctrl-C ends the process as ever.
        let _ = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed));
        let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::hidden());
        let template = format!("{{wide_bar}} {{human_pos}} of {{human_len}} {noun}, {{eta}} left");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        let shown = AtomicBool::new(!io::stderr().is_terminal());
        Self { done: AtomicU64::new(0), bar, begun: Instant::now(), shown }
    }

    /// A step is done; whether to go on.
    pub(crate) fn step(&self) -> bool {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(STRIDE) {
            self.bar.set_position(done);
            if !self.shown.load(Ordering::Relaxed)
                && self.begun.elapsed() > PATIENCE
                && !self.shown.swap(true, Ordering::Relaxed)
            {
                self.bar.set_draw_target(ProgressDrawTarget::stderr());
            }
        }
        !INTERRUPTED.load(Ordering::Relaxed)
    }

    /// Takes the bar away; how many steps were done.
    pub(crate) fn finish(self) -> u64 {
        self.bar.finish_and_clear();
        self.done.into_inner()
    }
}
