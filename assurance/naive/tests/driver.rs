//! A quick share of the comparison, and proof that it notices.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use dotp2p_naive::coverage::Coverage;
use dotp2p_naive::naive::Bend;
use dotp2p_naive::recipe::{Recipe, Step};
use dotp2p_naive::run::run;
use dotp2p_naive::shrink::shrink;

#[test]
fn both_sides_agree() {
    let mut coverage = Coverage::default();
    for seed in 1..=24 {
        let outcome = run(&Recipe::new(seed, 60), None, &mut coverage, None);
        assert_eq!(outcome, Ok(()), "chain {seed}: SEED={seed} cargo run -p dotp2p-naive -- --chains 1 --blocks 60");
    }
    assert!(coverage.ops > 5_000, "{coverage}");
    assert!(coverage.outcomes.len() > 50, "{coverage}");
}

/// Blocks of a chain here; chains until one shows the difference; tries to shrink it; steps that may remain besides the
/// blocks for which it has to be waited. The binary tries longer and comes out shorter.
const BLOCKS: usize = 60;
const CHAINS: u64 = 400;
const LONGEST: usize = 450;
const TRIES: usize = 250;
const STEPS: usize = 12;

fn fails(recipe: &Recipe, bend: Bend) -> bool {
    run(recipe, Some(bend), &mut Coverage::default(), None).is_err()
}

/// Each rule altered on the naive side is found, and what shows it is short.
#[test]
fn each_bent_rule_is_found() {
    let found = |bend: Bend| {
        // Chains of small blocks alone, which shrink sooner.
        let recipes = (1..=CHAINS).map(|seed| Recipe::new(seed, BLOCKS)).filter(|recipe| recipe.steps.len() < LONGEST);
        let (recipe, difference) = recipes.into_iter().find_map(|recipe| {
            let difference = run(&recipe, Some(bend), &mut Coverage::default(), None).err()?;
            Some((recipe, difference))
        })?;
        let until = Recipe { steps: recipe.steps.iter().take(difference.step + 1).cloned().collect(), ..recipe };
        let least = shrink(&until, TRIES, |recipe| fails(recipe, bend));
        assert!(fails(&least, bend), "what was shrunk still shows it");
        assert_eq!(run(&least, None, &mut Coverage::default(), None), Ok(()), "{bend:?} alone is to blame");
        let more = least.steps.iter().filter(|step| !matches!(step, Step::Mine(_))).count();
        Some((until.seed, until.steps.len(), more))
    };
    let all: Vec<_> = std::thread::scope(|scope| {
        let halves: Vec<_> = (0..2)
            .map(|half| {
                let found = &found;
                scope.spawn(move || {
                    let mine = Bend::ALL.iter().skip(half).step_by(2);
                    mine.map(|bend| (*bend, std::time::Instant::now(), found(*bend)))
                        .map(|(bend, begun, found)| (bend, begun.elapsed(), found))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    let table: Vec<String> = all.iter().map(|(bend, took, found)| format!("{bend:?} {took:?} {found:?}")).collect();
    println!("{}", table.join("\n"));
    let hidden: Vec<_> = all.iter().filter(|(_, _, found)| found.is_none_or(|(_, _, least)| least > STEPS)).collect();
    assert!(hidden.is_empty(), "not found, or not shrunk to {STEPS} steps: {hidden:#?}");
}
