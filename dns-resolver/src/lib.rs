//! Names to answers: the DNS of a network's top-level domain.
//!
//! - [`zone`]: what the node serves now, as two traits that it implements.
//! - [`answer`]: a question and a zone make an [`Answer`](answer::Answer); pure, so it is tested without a socket.
//! - [`dnssec`]: keys, signatures, proofs of what is not there.
//! - [`full`]: a packet in, a packet out, by hickory-server's ways and [`answer`].
//! - [`fast`]: the same answers without detours, for the questions that are asked most.
//! - [`forward`]: what is outside our domain, asked of upstreams; `resolve` puts both together, alias by alias.
//! - [`guard`]: cookies and rates, in front of what comes over UDP.
//! - [`server`]: UDP and TCP around them.
//!
//! A query takes one zone from [`Zones`](zone::Zones) and uses it to the end, so an answer never mixes two blocks.
//! What is absent for our own domain: any change of what is served, locks around it, and a cache but the one of signatures.
//! Consensus never looks into RDATA; here it is
//! checked as far as it must be, and an RRset that cannot be served is left out, never the whole name (R10).

pub mod answer;
mod authority;
pub mod dnssec;
mod extended;
#[cfg(test)]
mod fake;
pub mod fast;
pub mod forward;
pub mod full;
pub mod guard;
mod handler;
mod message;
mod node;
mod rdata;
mod resolve;
pub mod server;
mod tcp;
mod udp;
pub mod zone;
