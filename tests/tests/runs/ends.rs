//! Every way that a connection can go wrong ends in a clear state, and the explanation says why.

use natbed_lab::explain::explain;
use natbed_lab::peer::PeerEvent;
use natbed_lab::run::{Options, Outcome, Run};
use natbed_lab::scenario::HoldState;
use natbed_net::trace::Event;
use natbed_traversal::ice;

use crate::parsed;

/// Alice behind a symmetric NAT and Bob behind a port-restricted one, with a STUN and a TURN server; `lines` hold more
/// keys of `[turn.t]`, of Alice, of Bob, of the connection, and more tables.
struct World<'a> {
    a: &'a str,
    turn: &'a str,
    alice: &'a str,
    bob: &'a str,
    connect: &'a str,
    tables: &'a str,
}

const WORLD: World<'static> =
    World { a: "symmetric", turn: "", alice: "", bob: "behind = 'b'", connect: "", tables: "" };

impl World<'_> {
    /// What came of it, the explanation's sentences, and how often an agent told such an event.
    fn run(&self) -> (Run, String) {
        let Self { a, turn, alice, bob, connect, tables } = self;
        let text = format!(
            "format = 1\n[stun.s]\n[turn.t]\n{turn}\n[nat.a]\ntype = '{a}'\n[nat.b]\n[host.alice]\nbehind = 'a'\n{alice}\n\
             [host.bob]\n{bob}\n[[connect]]\nfrom = 'alice'\nto = 'bob'\n{connect}\n{tables}\n"
        );
        let scenario = parsed(&text);
        let run = natbed_lab::run::run(&scenario, &Options { log: true, ..Options::default() }).unwrap();
        let explanation = explain(&scenario, &run, None, None).remove(0);
        let steps = explanation.chapters.iter().flat_map(|chapter| &chapter.steps);
        let mut told: Vec<_> = steps.map(|step| step.text.clone()).collect();
        told.extend(explanation.why);
        (run, told.join("\n"))
    }
}

fn count(run: &Run, such: impl Fn(&ice::Event) -> bool) -> usize {
    let told = |event: &Event<PeerEvent>| matches!(event, Event::Program { event: PeerEvent::Ice(event), .. } if such(event));
    run.log().iter().filter(|record| told(&record.event)).count()
}

fn seconds(run: &Run) -> f64 {
    run.lowered.simulator.now().as_nanos() as f64 / 1e9
}

#[track_caller]
fn says(told: &str, words: &str) {
    assert!(told.contains(words), "`{words}` is not in:\n{told}");
}

#[test]
fn a_peer_that_never_answers_is_given_up_when_the_pac_timer_runs_out() {
    let tables = "[[event]]\nat = '0 s'\ndo = { link-down = 'bob' }";
    let (run, told) = World { tables, ..WORLD }.run();
    assert_eq!(run.connections[0].outcome, Outcome::Fail);
    assert!((39.5..40.5).contains(&seconds(&run)), "{}", seconds(&run));
    says(&told, "alice gives up: no pair has worked for 39.5 s (RFC 8863).");
    says(&told, "What bob sends is dropped at bob: the link was down.");
}

#[test]
fn a_turn_server_that_refuses_leaves_its_reason() {
    let (run, told) = World { turn: "quota = 0", ..WORLD }.run();
    assert_eq!(run.connections[0].outcome, Outcome::Fail);
    says(&told, "alice has no relay at t 198.51.100.3:3478: it answers with error 486.");
    says(&told, "as a (symmetric) gives every destination a port of its own.");
}

#[test]
fn a_turn_server_that_dies_while_it_is_asked_never_answers() {
    let tables = "[[event]]\nat = '70 ms'\ndo = { stop-server = 't' }";
    let (run, told) = World { tables, ..WORLD }.run();
    assert_eq!(run.connections[0].outcome, Outcome::Fail);
    says(&told, "alice has no relay at t 198.51.100.3:3478: it never answers.");
}

#[test]
fn a_turn_server_that_dies_while_it_relays_costs_consent_and_the_restart_fails() {
    let (connect, tables) =
        ("hold = '150 s'\nafter = 'lost'", "[[event]]\nat = '10 s'\ndo = { stop-server = 't' }");
    let (run, told) = World { connect, tables, ..WORLD }.run();
    assert_eq!(run.connections[0].outcome, Outcome::Relay);
    assert_eq!(run.connections[0].after, Some(HoldState::Lost));
    for words in ["t stops.", "bob loses consent to send to alice", "alice restarts ICE", "alice gives up."] {
        says(&told, words);
    }
    assert_eq!(
        count(&run, |event| matches!(event, ice::Event::Failed { .. })),
        2,
        "both know that it is over"
    );
}

#[test]
fn a_turn_server_that_comes_back_is_found_by_the_restart() {
    let connect = "hold = '150 s'\nafter = 'restarted'";
    let tables = "[[event]]\nat = '10 s'\ndo = { stop-server = 't' }\n[[event]]\nat = '20 s'\ndo = { start-server = 't' }";
    let (run, _) = World { connect, tables, ..WORLD }.run();
    assert!(run.connections[0].met, "{:?}", run.connections[0].after);
}

#[test]
fn a_nat_that_reboots_and_gives_another_port_costs_consent_and_the_restart_succeeds() {
    let (connect, tables) =
        ("hold = '2 min'\nafter = 'restarted'", "[[event]]\nat = '10 s'\ndo = { reboot-nat = 'a' }");
    let bob = "";
    let (run, told) = World { bob, connect, tables, ..WORLD }.run();
    assert_eq!((run.connections[0].outcome, run.connections[0].met), (Outcome::Direct, true));
    says(&told, "loses consent to send to");
    says(&told, "an ICE restart brought it back");
}

#[test]
fn a_restart_in_the_middle_of_the_checks_ends_as_if_there_had_been_none() {
    for at in ["120 ms", "170 ms", "200 ms", "260 ms", "400 ms", "1 s", "2.45 s"] {
        let tables = format!(
            "[[event]]\nat = '{at}'\ndo = {{ change-address = {{ node = 'alice', address = '192.168.1.77' }} }}"
        );
        let (run, told) = World { tables: &tables, ..WORLD }.run();
        assert_eq!(run.connections[0].outcome, Outcome::Relay, "{at}");
        let base = run.connections[0].pair.unwrap().base;
        assert_eq!(base.ip.to_string(), "192.168.1.77", "{at}");
        says(&told, "alice restarts ICE, with new credentials.");
        says(&told, "bob restarts ICE, with new credentials.");
    }
}

#[test]
fn both_sides_controlling_or_controlled_settle_who_nominates() {
    for (role, settled) in [("controlling", "becomes controlled"), ("controlled", "becomes controlling")] {
        let (alice, bob) =
            (format!("ice = {{ role = '{role}' }}"), format!("behind = 'b'\nice = {{ role = '{role}' }}"));
        let (run, told) = World { a: "full-cone", alice: &alice, bob: &bob, ..WORLD }.run();
        assert_eq!(run.connections[0].outcome, Outcome::Direct, "{role}");
        assert_eq!(count(&run, |event| matches!(event, ice::Event::RoleSwitched { .. })), 1, "{role}");
        assert_eq!(count(&run, |event| matches!(event, ice::Event::Selected(_))), 2, "{role}");
        says(&told, &format!("Both sides are {role}: "));
        says(&told, &format!("{settled} (RFC 8445 section 7.3.1.1)."));
        assert_eq!(told.matches("picks (nominates)").count(), 1, "{told}");
    }
}

#[test]
fn the_side_that_is_told_to_control_nominates() {
    let (alice, bob) = ("ice = { role = 'controlled' }", "behind = 'b'\nice = { role = 'controlling' }");
    let (run, told) = World { a: "full-cone", alice, bob, ..WORLD }.run();
    assert_eq!(run.connections[0].outcome, Outcome::Direct);
    assert_eq!(count(&run, |event| matches!(event, ice::Event::RoleSwitched { .. })), 0);
    says(&told, "bob picks (nominates)");
}

#[test]
fn a_lite_agent_on_the_internet_is_met_and_one_behind_a_nat_is_not() {
    for (alice, bob) in
        [("", "ice = { lite = true }"), ("ice = { role = 'controlled' }", "ice = { lite = true }")]
    {
        let (run, _) = World { alice, bob, ..WORLD }.run();
        assert_eq!(run.connections[0].outcome, Outcome::Direct);
        assert_eq!(count(&run, |event| matches!(event, ice::Event::Selected(_))), 2);
    }
    let (run, told) = World { bob: "behind = 'b'\nice = { lite = true }", ..WORLD }.run();
    assert_eq!(run.connections[0].outcome, Outcome::Fail);
    says(&told, "bob is lite: it sends no check");
}

#[test]
fn a_lite_initiator_is_controlled_and_comes_up_all_the_same() {
    let text = "format = 1\n[stun.s]\n[nat.b]\n[host.alice]\nice = { lite = true }\n[host.bob]\nbehind = 'b'\n\
                [[connect]]\nfrom = 'alice'\nto = 'bob'\npath = 'host/srflx'\nhold = '1 min'\nafter = 'alive'";
    let scenario = parsed(text);
    let run = natbed_lab::run::run(&scenario, &Options { log: true, ..Options::default() }).unwrap();
    assert!(run.connections[0].met, "{:?}", run.connections[0]);
    let explanation = explain(&scenario, &run, None, None).remove(0);
    let steps = explanation.chapters.iter().flat_map(|chapter| &chapter.steps);
    let told = steps.map(|step| step.text.as_str()).collect::<Vec<_>>().join("\n");
    says(&told, "bob becomes controlling, as alice is lite (RFC 8445 section 6.1.1).");
    says(&told, "bob picks (nominates)");
}
