//! `--trace` and `--pcap`: what a run leaves in files.

use std::path::Path;

use natbed_lab::run::Run;
use natbed_lab::{log, pcap};

use crate::args::Recording;
use crate::exit::Failure;
use crate::screen::Screen;
use crate::target::Target;

/// The files to write, open.
pub(super) struct Targets {
    trace: Option<Target>,
    pcap: Option<Target>,
}

impl Targets {
    /// Opens what `recording` asks for; data makes way on stdout for a file that is to go there.
    pub(super) fn open(recording: &Recording, json: bool, screen: &mut Screen) -> Result<Self, Failure> {
        let is_stdout = |path: &Option<_>| path.as_deref() == Some(Path::new("-"));
        let streams = [is_stdout(&recording.trace), is_stdout(&recording.pcap), json];
        if streams.iter().filter(|stream| **stream).count() > 1 {
            return Err(Failure::usage(
                "only one of `--trace -`, `--pcap -` and `--json` can have stdout",
                None,
            ));
        }
        if streams[0] || streams[1] {
            screen.divert();
        }
        let open = |path: &Option<_>| path.as_deref().map(Target::open).transpose();
        Ok(Self { trace: open(&recording.trace)?, pcap: open(&recording.pcap)? })
    }

    /// Whether the run must keep its event log.
    pub(super) const fn need_log(&self) -> bool {
        self.trace.is_some() || self.pcap.is_some()
    }

    /// Writes what was asked for of `run`.
    pub(super) fn write(self, run: &Run) -> Result<(), Failure> {
        if let Some(target) = self.trace {
            target.write(|mut out| log::write_jsonl(run, &mut out))?;
        }
        if let Some(target) = self.pcap {
            target.write(|out| pcap::write(run, out))?;
        }
        Ok(())
    }
}
