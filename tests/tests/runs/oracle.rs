//! The simulation against the oracle, which shares nothing with it but the words for what a NAT does.

use natbed_lab::oracle::{Pair, Prediction, Site, predict};
use natbed_lab::scenario::{Attachment, HostId, NatId, Scenario, ServerKind};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use crate::generate::{Case, Links, case};
use crate::{cases, run, scenario};

/// What the oracle says about the first connection of a scenario.
pub(crate) fn prediction(scenario: &Scenario) -> Prediction {
    let connect = &scenario.connects[0];
    let [from, to] = [connect.from, connect.to].map(|host| chain(scenario, host));
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let behavior = |nats: &[NatId]| nats.iter().map(|nat| scenario[*nat].behavior.clone()).collect();
    let site = |host: HostId, nats: &[NatId]| {
        let asks = |is: fn(&ServerKind) -> bool| {
            scenario[host].ice.servers.iter().any(|server| is(&scenario[*server].kind))
        };
        Site {
            nats: behavior(nats),
            stun: asks(|kind| matches!(kind, ServerKind::Stun)),
            turn: asks(|kind| matches!(kind, ServerKind::Turn { .. })),
        }
    };
    predict(&Pair {
        shared: behavior(&from[..shared]),
        a: site(connect.from, &from[shared..]),
        b: site(connect.to, &to[shared..]),
    })
}

/// The NATs that a host is behind, outermost first.
fn chain(scenario: &Scenario, host: HostId) -> Vec<NatId> {
    let mut chain = Vec::new();
    let mut at = scenario[host].interfaces[0].attachment;
    while let Attachment::Nat(nat) = at {
        chain.insert(0, nat);
        at = scenario[nat].outside;
    }
    chain
}

/// Fails unless the run of `case` comes out as predicted.
fn compare(case: &Case) -> Result<(), TestCaseError> {
    let scenario = scenario(&case.text());
    let predicted = prediction(&scenario);
    let run = run(&scenario, false);
    let found = run.connections[0].outcome.as_str();
    let raced = predicted.raced.is_some_and(|raced| raced.as_str() == found);
    prop_assert!(
        raced || predicted.outcome.as_str() == found,
        "the run says {found}, the oracle {} ({:?})",
        predicted.outcome,
        run.connections[0].pair
    );
    Ok(())
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_pair_behind_one_nat_each_comes_out_as_predicted(case in case(Links::Sound, 0, 1)) {
        compare(&case)?;
    }

    #[test]
    fn a_pair_behind_nats_of_any_depth_comes_out_as_predicted(case in case(Links::Sound, 2, 3)) {
        compare(&case)?;
    }

    #[test]
    fn who_initiates_changes_nothing(case in case(Links::Sound, 1, 2)) {
        let outcome = |case: &Case| run(&scenario(&case.text()), false).connections[0].outcome;
        prop_assert_eq!(outcome(&case), outcome(&case.swapped()));
    }
}

proptest! {
    // Loss makes an outcome likely, never certain: the cases are the same in every run.
    #![proptest_config(Config { rng_seed: RngSeed::Fixed(1), ..cases(96) })]

    #[test]
    fn with_loss_and_endless_patience_too(case in case(Links::Lossy, 0, 1)) {
        compare(&Case { relay_wait: "45 s", ..case })?;
    }
}
