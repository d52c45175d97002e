//! What came of many pairs, in whole numbers.

use super::Histogram;
use crate::run::{Connection, Outcome};

/// What came of many pairs, by their groups. Two tallies add up in any order to the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    groups: usize,
    /// One for each two groups, the same twice too: `(0, 0)`, `(0, 1)`, …, `(1, 1)`, ….
    cells: Vec<Cell>,
}

/// What came of the pairs of two groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Pairs by outcome: direct, relay, fail.
    pub outcomes: [u64; 3],
    /// The first pair of each outcome, by its number.
    pub examples: [Option<u64>; 3],
    /// Relays in the paths of all relayed pairs: one, or where both sides have one in the path two.
    pub relays: u64,
    /// Datagrams that the agents of all pairs sent up to set-up.
    pub packets_sent: u64,
    /// Those of them, or of their copies, that were dropped.
    pub packets_dropped: u64,
    /// Datagrams sent, pair by pair.
    pub packets: Histogram,
    /// Microseconds until the initiator had its selected pair: of direct pairs, of relayed ones.
    pub setup: [Histogram; 2],
}

impl Cell {
    /// How many pairs.
    pub fn pairs(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    /// How many pairs had this outcome.
    pub const fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize]
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (own, more) in self.outcomes.iter_mut().zip(other.outcomes) {
            *own += more;
        }
        for (own, other) in self.examples.iter_mut().zip(other.examples) {
            *own = [*own, other].into_iter().flatten().min();
        }
        self.relays += other.relays;
        self.packets_sent += other.packets_sent;
        self.packets_dropped += other.packets_dropped;
        self.packets.merge(&other.packets);
        for (own, more) in self.setup.iter_mut().zip(&other.setup) {
            own.merge(more);
        }
    }
}

impl Tally {
    /// Nothing yet, for so many groups.
    pub fn new(groups: usize) -> Self {
        Self { groups, cells: vec![Cell::default(); groups * (groups + 1) / 2] }
    }

    /// The tally with these cells; `None` if they are not as many as two of `groups` make.
    pub(super) fn from_cells(groups: usize, cells: Vec<Cell>) -> Option<Self> {
        (cells.len() == groups * (groups + 1) / 2).then_some(Self { groups, cells })
    }

    /// Adds pair `index`: a connection between users of two groups, with that many relays in its path.
    pub fn add(&mut self, index: u64, groups: [usize; 2], connection: &Connection, relays: u64) {
        let place = self.place(groups);
        let cell = &mut self.cells[place];
        cell.outcomes[connection.outcome as usize] += 1;
        let example = &mut cell.examples[connection.outcome as usize];
        *example = Some(example.map_or(index, |earlier| earlier.min(index)));
        cell.relays += relays;
        cell.packets_sent += connection.packets_sent;
        cell.packets_dropped += connection.packets_dropped;
        cell.packets.add(connection.packets_sent);
        if let Some((setup, histogram)) =
            connection.setup.zip(cell.setup.get_mut(connection.outcome as usize))
        {
            histogram.add(u64::try_from(setup.as_micros()).unwrap_or(u64::MAX));
        }
    }

    /// Both together.
    #[must_use]
    pub fn merged(mut self, other: &Self) -> Self {
        for (own, more) in self.cells.iter_mut().zip(&other.cells) {
            own.merge(more);
        }
        self
    }

    /// What came of the pairs of every two groups, with the places of the groups, the lower one first.
    pub fn cells(&self) -> impl Iterator<Item = ([usize; 2], &Cell)> {
        let pairs = (0..self.groups).flat_map(|a| (a..self.groups).map(move |b| [a, b]));
        pairs.zip(&self.cells)
    }

    /// What came of all pairs.
    pub fn total(&self) -> Cell {
        let mut total = Cell::default();
        for cell in &self.cells {
            total.merge(cell);
        }
        total
    }

    const fn place(&self, groups: [usize; 2]) -> usize {
        let [a, b] = groups;
        let (a, b) = if a < b { (a, b) } else { (b, a) };
        // The rows before row `a` have one cell less each.
        a * self.groups - a * a.saturating_sub(1) / 2 + (b - a)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_two_groups_have_a_cell_of_their_own() {
        for groups in 1..6 {
            let tally = Tally::new(groups);
            let places: Vec<usize> = tally.cells().map(|(pair, _)| tally.place(pair)).collect();
            assert_eq!(places, (0..tally.cells.len()).collect::<Vec<_>>());
            assert!(tally.cells().all(|([a, b], _)| tally.place([b, a]) == tally.place([a, b])));
        }
    }
}
