//! Whole tables of NAT types.

use natbed_lab::matrix::Matrix;
use natbed_lab::oracle::{Pair, Site, predict};
use natbed_nat::behavior::{FilterScope, ReplyMapping, Unsolicited};
use natbed_nat::{Behavior, presets};

fn matrix(types: &[&str], overrides: &[(&str, &str)]) -> Matrix {
    let types: Vec<String> = types.iter().map(ToString::to_string).collect();
    let overrides: Vec<_> =
        overrides.iter().map(|(axis, value)| (axis.to_string(), value.to_string())).collect();
    Matrix::run(&types, &overrides, 1).unwrap()
}

/// Row by row, a letter a cell: `d`irect, `r`elay, `f`ail.
fn table(matrix: &Matrix) -> Vec<String> {
    let letters: Vec<&str> = matrix.cells().map(|(_, _, cell)| &cell.outcome.as_str()[..1]).collect();
    letters.chunks(matrix.types.len()).map(<[&str]>::concat).collect()
}

#[test]
fn the_four_classic_types_make_the_classic_table() {
    let matrix = matrix(&presets::CLASSIC, &[]);
    let path = |cell: &natbed_lab::run::Connection| {
        let pair = cell.pair.as_ref().unwrap();
        format!("{} {}/{}", cell.outcome.as_str(), pair.local.kind.token(), pair.remote.kind.token())
    };
    let rows: Vec<String> =
        matrix.cells().map(|(a, b, cell)| format!("{a:18} {b:18} {}", path(cell))).collect();
    assert_eq!(
        rows,
        [
            "one-to-one         one-to-one         direct srflx/srflx",
            "one-to-one         address-restricted direct srflx/srflx",
            "one-to-one         port-restricted    direct srflx/srflx",
            "one-to-one         symmetric          direct srflx/prflx",
            "address-restricted one-to-one         direct srflx/srflx",
            "address-restricted address-restricted direct srflx/srflx",
            "address-restricted port-restricted    direct srflx/srflx",
            "address-restricted symmetric          direct srflx/prflx",
            "port-restricted    one-to-one         direct srflx/srflx",
            "port-restricted    address-restricted direct srflx/srflx",
            "port-restricted    port-restricted    direct srflx/srflx",
            "port-restricted    symmetric          relay relay/prflx",
            "symmetric          one-to-one         direct prflx/srflx",
            "symmetric          address-restricted direct prflx/srflx",
            "symmetric          port-restricted    relay prflx/relay",
            "symmetric          symmetric          relay prflx/relay",
        ]
    );
}

#[test]
fn all_81_pairs_of_the_grid_equal_the_oracle_whatever_is_remembered_where() {
    for scope in FilterScope::ALL {
        for reply in ReplyMapping::ALL {
            let overrides = [("filter-scope", scope.as_str()), ("reply-mapping", reply.as_str())];
            let matrix = matrix(&presets::GRID, &overrides);
            assert_eq!(matrix.cells().count(), 81);
            let site = |name: &str| {
                let behavior = presets::lookup(name).unwrap().behavior;
                Site::behind([Behavior { filter_scope: *scope, reply_mapping: *reply, ..behavior }])
            };
            for (a, b, cell) in matrix.cells() {
                let predicted = predict(&Pair { a: site(a), b: site(b), ..Pair::default() });
                assert_eq!(cell.outcome.as_str(), predicted.outcome.as_str(), "{a} to {b}, {overrides:?}");
            }
        }
    }
}

#[test]
fn swapping_the_initiator_changes_no_cell() {
    // An early packet, or the same of few shared ports drawn twice, makes a difference that no type makes.
    let settled = |name: &&str| {
        let behavior = presets::lookup(name).unwrap().behavior;
        let shares_few = behavior.port_overloading && behavior.port_block.is_some();
        behavior.unsolicited != Unsolicited::CreatesState && !shares_few
    };
    let types: Vec<&str> = presets::all_names().into_iter().filter(settled).collect();
    for overrides in [vec![], vec![("filter-scope", "endpoint")], vec![("reply-mapping", "inbound-session")]]
    {
        let table = table(&matrix(&types, &overrides));
        let cell = |row: usize, column: usize| table[row].as_bytes()[column];
        for row in 0..types.len() {
            for column in 0..row {
                let pair = (types[row], types[column]);
                assert_eq!(cell(row, column), cell(column, row), "{pair:?}, {overrides:?}");
            }
        }
    }
}
