//! DNSSEC: the keys of a node's zone, and answers signed with them while they are made (RFC 4033 to 4035).
//!
//! - [`key`]: a key, and what everybody may know of it.
//! - [`key_file`]: the keys as a file, made at first start, rolled by hand; beside it the anchors as text.
//! - [`signer`]: signatures for an [`Answer`](crate::answer::Answer), kept until they are to be renewed.
//! - `nsec`: names just before and just after another, and the records that deny with them (RFC 4470).
//!
//! Every node signs the same zone with a key of its own: its word is worth what the node's is, and an anchor says "I trust
//! this node". One key signs everything (a combined signing key, flags 257): it has to lie where answers are made, so a
//! second one beside it would protect nothing, and answers and rolls would be longer.

pub mod key;
pub mod key_file;
pub(crate) mod nsec;
pub mod signer;
