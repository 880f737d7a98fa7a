//! What a name costs.

use dotp2p_chain::amount::Amount;
use dotp2p_chain::entry::Stage;
use dotp2p_registry::name_policy::Typed;
use dotp2p_registry::price::{base, claim_burn, commit_burn, premium, renew_burn};
use dotp2p_registry::query::Reader;

use crate::shape;
use crate::types::{Coins, NamePrice, PriceKind};

/// The price of `years` of a name in the next block. Rules N4, N5, N7, N8, N10.
pub(super) fn price(reader: &Reader, typed: &Typed, years: u8) -> NamePrice {
    let (name, level, next) = (&typed.name, reader.state.level(), reader.tip.next());
    let found = reader.state.name_at(name, next, &reader.params.rules);
    let stage = found.as_ref().map_or(Stage::Free, |(_, stage)| *stage);
    let years_burn = |years| renew_burn(name, years).unwrap_or(Amount::MAX);
    let none = Amount::ZERO;
    let (kind, [commit, claim, premium, renew]) = match stage {
        Stage::Active | Stage::Grace => (PriceKind::Renewal, [none, none, none, years_burn(years)]),
        Stage::Released | Stage::Free => {
            let premium = premium(found.as_ref().map(|(row, _)| &row.entry), next, &reader.params.rules);
            let claim = claim_burn(name, level, none).unwrap_or(Amount::MAX);
            (PriceKind::Registration, [commit_burn(level), claim, premium, years_burn(years.saturating_sub(1))])
        }
    };
    let parts = [commit, claim, premium, renew];
    let total = parts.iter().fold(none, |sum, part| sum.checked_add(*part).unwrap_or(Amount::MAX));
    NamePrice {
        name: name.to_string(),
        unicode: typed.unicode.clone(),
        state: stage.as_str().to_owned(),
        kind,
        years,
        per_year: Coins(base(name)),
        level: shape::level(level),
        commit: Coins(commit),
        claim: Coins(claim),
        premium: Coins(premium),
        renew: Coins(renew),
        total: Coins(total),
        warnings: typed.warnings.iter().map(ToString::to_string).collect(),
    }
}
