//! Shared pieces of the benchmarks: CPU time instead of wall time, and a table of ratios at the end.

use std::time::Duration;

use cpu_time::ThreadTime;
use criterion::{Criterion, SamplingMode};

/// Measurements in groups: each work is done by several subjects, the first of which the others are compared with.
pub struct Bench {
    criterion: Criterion,
    figures: Vec<Figure>,
}

struct Figure {
    work: String,
    subject: String,
    nanos: f64,
}

impl Bench {
    /// Reads the command line as criterion does: a filter, `--test`, ….
    pub fn new() -> Self {
        let criterion = Criterion::default()
            .sample_size(10)
            .warm_up_time(Duration::from_millis(200))
            .measurement_time(Duration::from_millis(800))
            .without_plots()
            .configure_from_args();
        Self { criterion, figures: Vec::new() }
    }

    /// Measures the CPU time of this thread while `body` does at least as many units of `work` as it is told to;
    /// it returns how many it did. The figure is the median of one unit. What `prepare` does, once, is not measured.
    pub fn measure<S>(
        &mut self,
        work: &str,
        subject: &str,
        prepare: impl FnOnce() -> S,
        mut body: impl FnMut(&mut S, u64) -> u64,
    ) {
        let mut samples = Vec::new();
        let (mut prepare, mut state) = (Some(prepare), None);
        let mut group = self.criterion.benchmark_group(work);
        group.sampling_mode(SamplingMode::Flat).bench_function(subject, |bencher| {
            bencher.iter_custom(|count| {
                if let Some(prepare) = prepare.take() {
                    state = Some(prepare());
                }
                let Some(state) = &mut state else { return Duration::ZERO };
                let start = ThreadTime::now();
                let done = body(state, count);
                let one = start.elapsed().as_secs_f64() / done as f64;
                samples.push(one * 1e9);
                Duration::from_secs_f64(one * count as f64)
            });
        });
        group.finish();
        samples.sort_by(f64::total_cmp);
        if let Some(nanos) = samples.get(samples.len() / 2) {
            self.figures.push(Figure { work: work.into(), subject: subject.into(), nanos: *nanos });
        }
    }

    /// Prints all figures, and how they compare with the first of their work, on stderr.
    pub fn finish(self) {
        self.criterion.final_summary();
        eprintln!("\n{:<44} {:<24} {:>12} {:>9}", "work", "", "CPU time", "ratio");
        for figure in &self.figures {
            let base = self.figures.iter().find(|other| other.work == figure.work);
            let ratio = base.map_or(1.0, |base| figure.nanos / base.nanos);
            let time = format!("{:.3} us", figure.nanos / 1e3);
            eprintln!("{:<44} {:<24} {time:>12} {ratio:>8.2}x", figure.work, figure.subject);
        }
    }
}

impl Default for Bench {
    fn default() -> Self {
        Self::new()
    }
}
