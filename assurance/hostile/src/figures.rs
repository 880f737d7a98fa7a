//! What all peers did and met, as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::kind::Kind;
use crate::peer::{Identity, Life};

/// The figures of a run: of all, and of each kind.
pub fn of(lives: &[(Kind, Life)]) -> Value {
    let mut kinds: BTreeMap<&str, Vec<&Life>> = BTreeMap::new();
    for (kind, life) in lives {
        kinds.entry(kind.name()).or_default().push(life);
    }
    let all: Vec<&Life> = lives.iter().map(|(_, life)| life).collect();
    let kinds: BTreeMap<&str, Value> = kinds.into_iter().map(|(name, lives)| (name, group(&lives))).collect();
    let mut figures = group(&all);
    if let Some(figures) = figures.as_object_mut() {
        figures.insert("kinds".to_owned(), json!(kinds));
    }
    figures
}

fn group(lives: &[&Life]) -> Value {
    let first: Vec<&Identity> = lives.iter().filter_map(|life| life.identities.first()).collect();
    let every: Vec<&Identity> = lives.iter().flat_map(|life| &life.identities).collect();
    let sum = |of: fn(&Life) -> u64| lives.iter().map(|life| of(life)).sum::<u64>();
    let (sent, connected) = (sum(|life| life.sent), lives.iter().map(|life| life.connected).sum::<Duration>());
    let spread = |of: fn(&Identity) -> Option<Duration>| spread(every.iter().filter_map(|it| of(it)).collect());
    json!({
        "peers": lives.len(),
        "sent": sent,
        "connected_s": seconds(connected),
        "sent_per_connected_s": u128::from(sent) * 1_000 / connected.as_millis().max(1),
        "accepted": sum(|life| life.accepted),
        "refused": sum(|life| life.refused),
        "failed": sum(|life| life.failed),
        "identities": every.len(),
        "parted_s": spread(|it| it.parted),
        "banned_s": spread(|it| it.banned),
        "stood_s": spread(|it| it.stood),
        "never_parted": first.iter().filter(|it| it.parted.is_none()).count(),
        "never_banned": first.iter().filter(|it| it.banned.is_none()).count(),
    })
}

fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000.0).round() / 1_000.0
}

/// How many, the median and the longest.
fn spread(mut times: Vec<Duration>) -> Value {
    times.sort_unstable();
    let at = |at: usize| times.get(at).map(|time| seconds(*time));
    json!({ "count": times.len(), "median": at(times.len() / 2), "max": at(times.len().saturating_sub(1)) })
}
