//! Which of the kernel's ports goes by which of ours.

use std::collections::BTreeMap;

/// One external port: as the kernel has it, and as we have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) kernel: u16,
    pub(crate) ours: u16,
}

/// A pair of ports that one packet shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// They are one port, known or new.
    Same,
    /// They are two ports, and one side happened to draw at random one that was known already: from here on the two
    /// tell different stories.
    Coincidence,
    /// They are two ports.
    Different,
}

/// A one-to-one relation between ports, built as they appear.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    ours_of: BTreeMap<u16, u16>,
    kernels_of: BTreeMap<u16, u16>,
}

impl Names {
    /// Relates a port to itself.
    pub(crate) fn fix(&mut self, port: u16) {
        self.relate(Port { kernel: port, ours: port });
    }

    /// Judges the ports that a new flow got. `kept` are the ports that a NAT may have had a reason to choose: the
    /// flow's own, and that of the endpoint's newest flow.
    pub(crate) fn judge(&mut self, port: Port, kept: &[Port]) -> Verdict {
        let ours = self.ours_of.get(&port.kernel);
        let kernels = self.kernels_of.get(&port.ours);
        match (ours, kernels) {
            (None, None) => {
                self.relate(port);
                Verdict::Same
            }
            (Some(ours), _) if *ours == port.ours => Verdict::Same,
            _ => {
                let drawn_by_kernel = ours.is_some() && kept.iter().all(|kept| kept.kernel != port.kernel);
                let drawn_by_us = kernels.is_some() && kept.iter().all(|kept| kept.ours != port.ours);
                if drawn_by_kernel || drawn_by_us { Verdict::Coincidence } else { Verdict::Different }
            }
        }
    }

    fn relate(&mut self, Port { kernel, ours }: Port) {
        self.ours_of.insert(kernel, ours);
        self.kernels_of.insert(ours, kernel);
    }
}
