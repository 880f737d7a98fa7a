//! Leaving steps out while a difference remains (delta debugging).

use crate::recipe::{Recipe, Step};

/// The least recipe that can be found for which `fails` holds, as it does for `recipe`, within so many `tries`.
pub fn shrink(recipe: &Recipe, mut tries: usize, fails: impl Fn(&Recipe) -> bool) -> Recipe {
    let mut best = recipe.clone();
    loop {
        let before = best.clone();
        // Heights stay as they are at first: what is left out changes less for the steps after it.
        fewer_steps(&mut best, &mut tries, &fails, |step| !matches!(step, Step::Mine(_)));
        fewer_steps(&mut best, &mut tries, &fails, |_| true);
        fewer_ops(&mut best, &mut tries, &fails);
        if best == before || tries == 0 {
            return best;
        }
    }
}

/// Leaves out as many as it can of the steps that `may` go, half of them at once at first, one by one at last.
fn fewer_steps(best: &mut Recipe, tries: &mut usize, fails: &impl Fn(&Recipe) -> bool, may: impl Fn(&Step) -> bool) {
    let mut chunk = best.steps.iter().filter(|step| may(step)).count();
    while chunk > 0 && *tries > 0 {
        let mut passed = 0;
        loop {
            let mut seen = 0;
            let mut steps = best.steps.clone();
            steps.retain(|step| {
                let here = may(step);
                seen += usize::from(here);
                !(here && seen > passed && seen <= passed + chunk)
            });
            if passed >= seen || *tries == 0 {
                break;
            }
            if !try_steps(best, steps, tries, fails) {
                passed += chunk;
            }
        }
        chunk /= 2;
    }
}

fn fewer_ops(best: &mut Recipe, tries: &mut usize, fails: &impl Fn(&Recipe) -> bool) {
    for at in 0..best.steps.len() {
        let mut op = 0;
        while let Some(Step::Transaction(_, ops)) = best.steps.get(at)
            && ops.len() > 1
            && op < ops.len()
        {
            let mut steps = best.steps.clone();
            if let Some(Step::Transaction(_, ops)) = steps.get_mut(at) {
                ops.remove(op);
            }
            if !try_steps(best, steps, tries, fails) {
                op += 1;
            }
        }
    }
}

fn try_steps(best: &mut Recipe, steps: Vec<Step>, tries: &mut usize, fails: &impl Fn(&Recipe) -> bool) -> bool {
    if *tries == 0 {
        return false;
    }
    *tries -= 1;
    let recipe = Recipe { seed: best.seed, steps };
    let failed = fails(&recipe);
    if failed {
        *best = recipe;
    }
    failed
}
