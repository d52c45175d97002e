//! Explains one pair of NAT types.
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let text = natbed_lab::matrix::pair_scenario(&args[1], &args[2], &[], 1);
    let scenario = natbed_lab::scenario::parse(text.as_bytes()).unwrap();
    let run = natbed_lab::run::run(&scenario, &natbed_lab::run::Options { log: true, ..Default::default() })
        .unwrap();
    println!("{:?}", run.connections);
    for e in natbed_lab::explain::explain(&scenario, &run, None, None) {
        println!("{}", e.title);
        for l in &e.setting {
            println!("  {l}");
        }
        let mut n = 0;
        for c in &e.chapters {
            println!("{}", c.title);
            for s in &c.steps {
                n += 1;
                println!("{n:3}. [{}] {}", s.time_ns as f64 / 1e9, s.text);
                for l in &s.evidence {
                    println!("       - {l}");
                }
            }
        }
        println!("Why");
        for l in &e.why {
            println!("  {l}");
        }
    }
    if args.len() > 3 {
        natbed_lab::log::write_jsonl(&run, &mut std::io::stdout()).unwrap();
    }
}
