//! Timing, and the ratios at the end.

use std::time::Duration;

use criterion::Criterion;

use crate::HUGE;
use crate::work::Work;

/// Packets that are timed together: few enough that some such stretches run undisturbed on a busy machine.
pub(crate) const STRETCH: usize = 16_384;

/// What does the work.
pub(crate) const BATCHED: &str = "natbed batched";
pub(crate) const SINGLE: &str = "natbed single";
pub(crate) const FLOOR: &str = "floor";

/// A measured figure.
struct Figure {
    kind: &'static str,
    size: u32,
    operation: &'static str,
    table: &'static str,
    nanos: f64,
}

/// Times what is done to tables, and remembers.
pub(crate) struct Stopwatch {
    criterion: Criterion,
    figures: Vec<Figure>,
}

impl Stopwatch {
    /// Reads the command line as criterion does.
    pub(crate) fn new() -> Self {
        let criterion = Criterion::default()
            .sample_size(10)
            .warm_up_time(Duration::from_millis(30))
            .measurement_time(Duration::from_millis(120))
            .without_plots()
            .configure_from_args();
        Self { criterion, figures: Vec::new() }
    }

    /// Times stretches of `items`, which come again and again; `body` says how long a stretch took.
    pub(crate) fn stretches<T>(
        &mut self,
        work: &Work,
        (operation, table): (&'static str, &'static str),
        items: &[T],
        mut body: impl FnMut(&[T]) -> Duration,
    ) {
        let mut samples = Vec::new();
        let mut stretches = items.chunks_exact(STRETCH).cycle();
        let id = format!("{operation}/{}/{table}/{}", work.kind.name(), work.size);
        self.criterion.bench_function(&id, |bencher| {
            bencher.iter_custom(|count| {
                let stretch_count = count.div_ceil(STRETCH as u64);
                let before = samples.len();
                for items in stretches.by_ref().take(usize::try_from(stretch_count).unwrap_or(usize::MAX)) {
                    samples.push(body(items).as_secs_f64() * 1e9 / STRETCH as f64);
                }
                let mean = samples[before..].iter().sum::<f64>() / stretch_count as f64;
                Duration::from_secs_f64(mean * count as f64 / 1e9)
            });
        });
        self.note(work, operation, table, &mut samples);
    }

    /// Times something done to all mappings of the table, again and again unless that takes minutes; the figure is of
    /// one mapping.
    pub(crate) fn repeated(
        &mut self,
        work: &Work,
        (operation, table): (&'static str, &'static str),
        mut body: impl FnMut() -> Duration,
    ) {
        let mut once = None;
        let mut body = || match work.size {
            HUGE.. => *once.get_or_insert_with(&mut body),
            _ => body(),
        };
        let mut samples = Vec::new();
        let id = format!("{operation} all/{}/{table}/{}", work.kind.name(), work.size);
        self.criterion.bench_function(&id, |bencher| {
            bencher.iter_custom(|count| {
                let elapsed: Duration = (0..count).map(|_| body()).sum();
                samples.push(elapsed.as_secs_f64() * 1e9 / count as f64 / f64::from(work.size));
                elapsed
            });
        });
        self.note(work, operation, table, &mut samples);
    }

    /// Notes how long something took that was done to all mappings once.
    pub(crate) fn once(
        &mut self,
        work: &Work,
        (operation, table): (&'static str, &'static str),
        took: Duration,
    ) {
        self.note(work, operation, table, &mut [took.as_secs_f64() * 1e9 / f64::from(work.size)]);
    }

    /// Keeps the fastest tenth.
    fn note(&mut self, work: &Work, operation: &'static str, table: &'static str, samples: &mut [f64]) {
        samples.sort_by(f64::total_cmp);
        if let Some(nanos) = samples.get(samples.len() / 10) {
            let kind = work.kind.name();
            self.figures.push(Figure { kind, size: work.size, operation, table, nanos: *nanos });
        }
    }

    /// Prints how many times longer than natbed the others take, on stderr.
    pub(crate) fn finish(self) {
        self.criterion.final_summary();
        eprintln!(
            "\n{:<10} {:>9} {:<13} {:>10} {:>10}   times the batched figure",
            "mapping", "mappings", "", "batched", "single"
        );
        for base in self.figures.iter().filter(|figure| figure.table == BATCHED) {
            let of = |operation: &str, table: &str| {
                let is_it = |figure: &&Figure| {
                    (figure.kind, figure.size, figure.operation, figure.table)
                        == (base.kind, base.size, operation, table)
                };
                self.figures.iter().find(is_it).map(|figure| figure.nanos)
            };
            let nanos = |nanos: Option<f64>| nanos.map_or(String::new(), |nanos| format!("{nanos:.1} ns"));
            let ratios = [FLOOR, "strings", "std", "hashbrown"].map(|peer| {
                let floor = || if peer == FLOOR { of("outbound", FLOOR) } else { None };
                let figure = of(base.operation, peer).or_else(floor);
                figure.map_or(String::new(), |figure| format!("{peer} {:.1}x", figure / base.nanos))
            });
            eprintln!(
                "{:<10} {:>9} {:<13} {:>10} {:>10}   {}",
                base.kind,
                base.size,
                base.operation,
                nanos(Some(base.nanos)),
                nanos(of(base.operation, SINGLE)),
                ratios.join("  ")
            );
        }
    }
}

/// How long `body` takes.
pub(crate) fn time(body: impl FnOnce()) -> Duration {
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
    let start = std::time::Instant::now();
    body();
    start.elapsed()
}
