//! Peers: finding them, syncing with them, relaying to them.
