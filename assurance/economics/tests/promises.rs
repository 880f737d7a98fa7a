//! Every simulation at its smallest, and the page that they write.

use dotp2p_economics::{Report, SEED, Scale, difficulty, front_running, growth, page, secret_branch, stuffing, words};

fn kept(report: &Report) {
    assert!(report.broken.is_empty(), "{:#?}", report.broken);
    assert!(!report.figure.is_empty() && !report.tables.is_empty());
    for (name, svg) in &report.plots {
        assert!(svg.starts_with("<svg") && svg.len() < 60_000, "{name}: {} bytes", svg.len());
    }
}

#[test]
fn hash_rate_comes_and_goes() {
    let report = difficulty::run(Scale::Quick, SEED);
    kept(&report);
    assert_eq!(report, difficulty::run(Scale::Quick, SEED), "another run, another result");
    let (waiting, plain) = (difficulty::Rule::Waiting, difficulty::Rule::Plain);
    let (ours, asert) = (difficulty::step(waiting, 1e-4, SEED), difficulty::step(plain, 1e-4, SEED));
    assert!(ours.longest * 5.0 < asert.longest, "waiting rule {} s, plain {} s", ours.longest, asert.longest);
}

#[test]
fn a_secret_branch_takes_no_name_whose_owner_did_not_sign() {
    kept(&secret_branch::run(Scale::Quick, SEED));
}

#[test]
fn a_dictionary_cannot_be_had_at_once() {
    kept(&words::run(Scale::Quick, SEED));
}

#[test]
fn slots_cannot_be_filled_for_long() {
    kept(&stuffing::run(Scale::Quick, SEED));
}

#[test]
fn a_copied_claim_wins_nothing() {
    kept(&front_running::run(Scale::Quick, SEED));
    let outcome = front_running::duel(200, SEED + 1);
    assert_eq!(outcome.wins, 0);
    assert!(outcome.spent.atoms() > 0, "the attacker paid nothing");
    assert!(!front_running::censored(10), "ten blocks are enough for a censor");
    assert!(front_running::censored(11), "eleven are not");
}

#[test]
fn disks_fill_no_faster_than_stated() {
    kept(&growth::run(Scale::Quick, SEED));
}

#[test]
fn the_page_has_a_place_for_every_table_and_shows_every_plot() {
    let page = std::fs::read_to_string(page::docs().join("economics.md")).unwrap();
    let runs = [difficulty::run, secret_branch::run, words::run, stuffing::run, front_running::run, growth::run];
    for report in runs.map(|run| run(Scale::Quick, SEED)) {
        for (name, table) in &report.tables {
            assert!(page::with_table(&page, name, table).is_some(), "no place for table {name}");
        }
        for (name, _) in &report.plots {
            assert!(page.contains(&format!("(plots/{name}.svg)")), "plot {name} is not shown");
            assert!(page::docs().join("plots").join(format!("{name}.svg")).is_file(), "plot {name} is missing");
        }
    }
}
