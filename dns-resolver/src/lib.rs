//! Names to answers: the DNS of a network's top-level domain.
//!
//! - [`zone`]: what the node serves now, as two traits that it implements.
//! - [`answer`]: a question and a zone make an [`Answer`](answer::Answer); pure, so it is tested without a socket.
//! - [`full`]: a packet in, a packet out, by hickory-server's ways and [`answer`].
//! - [`fast`]: the same answers without detours, for the questions that are asked most.
//! - [`forward`]: what is outside our domain, asked of upstreams; `resolve` puts both together, alias by alias.
//! - [`server`]: UDP and TCP around them.
//!
//! A query takes one zone from [`Zones`](zone::Zones) and uses it to the end, so an answer never mixes two blocks.
//! What is absent for our own domain: locks, a cache, and any change of what is served. Consensus never looks into RDATA; here it is
//! checked as far as it must be, and an RRset that cannot be served is left out, never the whole name (R10).

pub mod answer;
#[cfg(test)]
mod fake;
pub mod fast;
pub mod forward;
pub mod full;
mod handler;
mod node;
mod rdata;
mod resolve;
pub mod server;
mod udp;
pub mod zone;
