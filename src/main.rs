//! dotp2p
fn main() {}
