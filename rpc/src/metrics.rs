//! `GET /metrics`: what a monitor watches, in Prometheus' text form. Made anew for each request, so that it costs nothing
//! between them and everything it says belongs to one block.

use dotp2p_registry::query::Reader;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::node::NetworkStatus;

/// What is said before each, as the form asks.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics of a node; without the peers' where the node is starting or stopping.
pub(crate) fn text(reader: &Reader, network: Option<&NetworkStatus>, uptime_s: u64) -> String {
    let mut registry = Registry::with_prefix("dotp2p");
    let mut gauge = |name: &str, help: &str, value: u64| registry.register(name, help, ConstGauge::new(value));
    gauge("uptime_seconds", "Since the node was started", uptime_s);
    gauge("blocks", "Height of the tip", reader.tip.0.into());
    gauge("headers", "Height of the best header known", reader.headers.0.into());
    gauge("tip_time_seconds", "Time of the tip, Unix seconds", reader.head.header.time);
    gauge("names", "Names that have an owner", reader.state.name_count() as u64);
    gauge("pool_transactions", "Transactions that wait for a block", reader.pool.len() as u64);
    gauge("pool_bytes", "Their bytes", reader.pool.bytes() as u64);
    gauge(
        "conflicts",
        "Transactions that reorganisations undid for good, as name_conflicts lists them",
        reader.conflicts.len() as u64,
    );
    let until = reader.meta.hold.map_or(0, |(_, end)| end.0.saturating_sub(reader.tip.0));
    gauge("hold_blocks", "Blocks for which changed owners are held back in DNS (L3)", until.into());
    gauge(
        "reorganisation_deepest_blocks",
        "Most blocks that one reorganisation left, since the start",
        reader.reorganisations.deepest.into(),
    );
    if let Some(network) = network {
        gauge("peers_inbound", "Peers that opened their connection", network.inbound as u64);
        gauge("peers_outbound", "Peers whose connection this node opened", network.outbound as u64);
    }
    let mut counter = |name: &str, help: &str, value: u64| registry.register(name, help, ConstCounter::new(value));
    counter("reorganisations", "Reorganisations that left a block or more", reader.reorganisations.count);
    counter(
        "deep_reorganisations",
        "Reorganisations that left two blocks or more: an alarm",
        reader.reorganisations.deep,
    );
    let mut text = String::new();
    // A string takes everything.
    let _ = encode(&mut text, &registry);
    text
}
