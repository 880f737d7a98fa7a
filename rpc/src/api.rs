//! The methods, a trait a group. Their comments are the reference manual: `help` prints them (see [`crate::help`]).
//!
//! A comment's first paragraph is one sentence, for the list; its last paragraph is an example, which the tests call by
//! position and by name. Parameters go by position or by name. Amounts are decimal coins; numbers and strings are
//! accepted, both read exactly. Wherever a name is asked for, `alice`, `alice.p2p`, capitals and U-labels will do.
//!
//! What is absent: subscriptions, which need WebSocket.

#![allow(clippy::too_many_arguments, reason = "a method's parameters are its arguments")]

use jsonrpsee::proc_macros::rpc;
use serde_json::value::RawValue;

use crate::error::RpcResult;
use crate::types::{
    AmountText, BanInfo, BlockchainInfo, ChainTip, ConflictInfo, HistoryItem, Info, JsonRecord, MempoolInfo,
    MiningInfo, NameInfo, NamePrice, NameProof, NameSummary, NetworkInfo, PeerInfo, PendingName, PoolVerdict,
    RegistrationInfo, Sent,
};

/// Names.
#[rpc(server, client)]
pub trait NameApi {
    /// Shows who holds a name, until when, and its records; `state` is `free` where nobody does.
    ///
    /// `state` is one of `active` (it resolves), `grace` (expired: the holder can still renew), `released` (anybody can
    /// register it, at a premium that falls), `pending` (not held, but a claim waits for its block) and `free`.
    /// `served`: DNS answers with what the present owner says. `provisional`: newer records wait for their block and
    /// may be served already. `expires_in` counts blocks and is negative afterwards.
    ///
    /// - `height`: shows it as it was after that block.
    ///
    /// Example: `name_show ["alice"]`
    #[method(name = "name_show", blocking)]
    fn name_show(&self, name: String, height: Option<u32>) -> RpcResult<NameInfo>;

    /// Lists names of an owner, or of this wallet, in the order of the alphabet.
    ///
    /// - `owner`: an address; without it, all the wallet's addresses.
    ///
    /// Example: `name_list []`
    #[method(name = "name_list", blocking)]
    fn name_list(&self, owner: Option<String>) -> RpcResult<Vec<NameSummary>>;

    /// Lists what waits in the pool for names, or for one.
    ///
    /// `provisional`: DNS answers with it already.
    ///
    /// - `name`: only this one.
    ///
    /// Example: `name_pending ["alice"]`
    #[method(name = "name_pending", blocking)]
    fn name_pending(&self, name: Option<String>) -> RpcResult<Vec<PendingName>>;

    /// Lists what reorganisations undid for good, the newest first.
    ///
    /// These are transactions that no block can hold any more. `owner` is who holds the name on the branch that won. What
    /// can be in a block again is not listed: it went back to the pool by itself. The last 1000 are kept.
    ///
    /// Example: `name_conflicts []`
    #[method(name = "name_conflicts", blocking)]
    fn name_conflicts(&self) -> RpcResult<Vec<ConflictInfo>>;

    /// Lists what was done to a name since it was last free, the newest first.
    ///
    /// - `limit`: at most so many transactions, 100 unless given, up to 1000.
    ///
    /// Example: `name_history ["alice", 10]`
    #[method(name = "name_history", blocking)]
    fn name_history(&self, name: String, limit: Option<u32>) -> RpcResult<Vec<HistoryItem>>;

    /// Tells what a name costs now: to register it or, where it is held, to renew it.
    ///
    /// `kind` says which of the two. `total` is `commit` + `claim` + `premium` + `renew`, without miners' fees. `level`
    /// is the factor by which demand raises the price of the first year; `premium` falls with each block.
    ///
    /// - `years`: 1 to 10, 1 unless given.
    ///
    /// Example: `name_price ["bob", 2]`
    #[method(name = "name_price", blocking)]
    fn name_price(&self, name: String, years: Option<u8>) -> RpcResult<NamePrice>;

    /// Registers a name: commits, waits, claims, sets records and pays further years, all by itself.
    ///
    /// Answers at once with where the registration stands; `name_registrations` tells how it goes on. The node carries
    /// it through after a restart, too. Calling it again for the same name answers with the one under way, which stays
    /// as it was asked for first.
    ///
    /// - `records`: a list of `{"owner", "type", "ttl", "data"}`; `owner` is `@` for the name itself.
    /// - `years`: 1 to 10, 1 unless given.
    /// - `owner`: the address that will hold the name; the wallet's first unless given.
    /// - `zone`: the records as the text of a zone file, instead of `records`.
    /// - `delegate`: keeps NS records of the name itself in `zone`: other servers answer for it.
    /// - `limit`: the most coins to spend on it, fees included.
    ///
    /// Example: `name_register ["bob", [{"owner": "@", "type": "A", "data": "192.0.2.7"}], 1]`
    #[method(name = "name_register")]
    async fn name_register(
        &self,
        name: String,
        records: Option<Vec<JsonRecord>>,
        years: Option<u8>,
        owner: Option<String>,
        zone: Option<String>,
        delegate: Option<bool>,
        limit: Option<AmountText>,
    ) -> RpcResult<RegistrationInfo>;

    /// Lists the registrations under way and those that ended lately.
    ///
    /// `step` is one of `funds`, `commit`, `age`, `claim`, `rival`, `finish`, `done` and `failed`; `text` says it in a
    /// sentence, `blocks_left` how many blocks are still to come, where that is known.
    ///
    /// Example: `name_registrations []`
    #[method(name = "name_registrations")]
    fn name_registrations(&self) -> RpcResult<Vec<RegistrationInfo>>;

    /// Replaces all records of a name of this wallet; they are checked before anything is signed.
    ///
    /// `notes` lists what was changed on the way and what is probably not meant.
    ///
    /// - `records`: a list of `{"owner", "type", "ttl", "data"}`; an empty one removes all.
    /// - `zone`: the records as the text of a zone file, instead of `records`.
    /// - `delegate`: keeps NS records of the name itself in `zone`: other servers answer for it.
    ///
    /// Example: `name_update ["alice", [{"owner": "www", "type": "A", "ttl": 300, "data": "192.0.2.8"}]]`
    #[method(name = "name_update")]
    async fn name_update(
        &self,
        name: String,
        records: Option<Vec<JsonRecord>>,
        zone: Option<String>,
        delegate: Option<bool>,
    ) -> RpcResult<Sent>;

    /// Pays further years for a name, one's own or anybody's.
    ///
    /// - `years`: 1 to 10, 1 unless given.
    ///
    /// Example: `name_renew ["alice", 2]`
    #[method(name = "name_renew")]
    async fn name_renew(&self, name: String, years: Option<u8>) -> RpcResult<Sent>;

    /// Gives a name of this wallet away.
    ///
    /// - `address`: the new owner. There is no way back without it.
    ///
    /// Example: `name_transfer ["alice", "ADDRESS"]`
    #[method(name = "name_transfer")]
    async fn name_transfer(&self, name: String, address: String) -> RpcResult<Sent>;

    /// Proves what a block says of a name, to anybody who trusts that block's hash.
    ///
    /// - `height`: the block; the tip unless given.
    ///
    /// Example: `name_proof ["alice"]`
    #[method(name = "name_proof", blocking)]
    fn name_proof(&self, name: String, height: Option<u32>) -> RpcResult<NameProof>;
}

/// Chain.
#[rpc(server, client)]
pub trait ChainApi {
    /// Tells the state of the chain.
    ///
    /// `settled` is the height whose block decides who is served in DNS; `difficulty` is 1 at the network's easiest;
    /// `warnings` tells of deep reorganisations.
    ///
    /// Example: `getblockchaininfo []`
    #[method(name = "getblockchaininfo", blocking)]
    fn blockchain_info(&self) -> RpcResult<BlockchainInfo>;

    /// The height of the tip.
    ///
    /// Example: `getblockcount []`
    #[method(name = "getblockcount")]
    fn block_count(&self) -> RpcResult<u32>;

    /// The hash of the tip.
    ///
    /// Example: `getbestblockhash []`
    #[method(name = "getbestblockhash")]
    fn best_block_hash(&self) -> RpcResult<String>;

    /// The hash of the active block at a height.
    ///
    /// Example: `getblockhash [0]`
    #[method(name = "getblockhash")]
    fn block_hash(&self, height: u32) -> RpcResult<String>;

    /// A block by hash: its bytes in hexadecimal, or what they say.
    ///
    /// - `verbosity`: 0 the bytes; 1 header and txids, which is what is given without it; 2 transactions too.
    ///
    /// Example: `getblock ["HASH", 2]`
    #[method(name = "getblock", blocking)]
    fn block(&self, blockhash: String, verbosity: Option<u8>) -> RpcResult<Box<RawValue>>;

    /// A header by hash, on the active chain or not (`confirmations` is -1 there).
    ///
    /// - `verbose`: `false` gives header, roots and work in hexadecimal.
    ///
    /// Example: `getblockheader ["HASH"]`
    #[method(name = "getblockheader", blocking)]
    fn block_header(&self, blockhash: String, verbose: Option<bool>) -> RpcResult<Box<RawValue>>;

    /// Offers a signed transaction to the pool and the network; answers with its txid.
    ///
    /// One that is in the pool already is no error.
    ///
    /// Example: `sendrawtransaction ["HEX"]`
    #[method(name = "sendrawtransaction")]
    async fn send_raw_transaction(&self, hexstring: String) -> RpcResult<String>;

    /// Tells how full the pool is, and the least fee it takes.
    ///
    /// Example: `getmempoolinfo []`
    #[method(name = "getmempoolinfo", blocking)]
    fn mempool_info(&self) -> RpcResult<MempoolInfo>;

    /// Tells whether the pool would take transactions, without offering them.
    ///
    /// - `rawtxs`: up to 25 in hexadecimal; each is tried as if those before it were in the pool.
    ///
    /// Example: `testmempoolaccept [["HEX"]]`
    #[method(name = "testmempoolaccept", blocking)]
    fn test_mempool_accept(&self, rawtxs: Vec<String>) -> RpcResult<Vec<PoolVerdict>>;

    /// Lists the ends of branches, the one of most work first; one of them is active.
    ///
    /// `status` is `active`, `valid-fork` (its blocks are here) or `headers-only`.
    ///
    /// Example: `getchaintips []`
    #[method(name = "getchaintips", blocking)]
    fn chain_tips(&self) -> RpcResult<Vec<ChainTip>>;

    /// The txids of the pool, each payer's in their order.
    ///
    /// Example: `getrawmempool []`
    #[method(name = "getrawmempool")]
    fn raw_mempool(&self) -> RpcResult<Vec<String>>;

    /// A transaction in the pool or in a block: its bytes in hexadecimal, or what they say.
    ///
    /// - `verbose`: `true` for what they say.
    ///
    /// Example: `getrawtransaction ["TXID", true]`
    #[method(name = "getrawtransaction", blocking)]
    fn raw_transaction(&self, txid: String, verbose: Option<bool>) -> RpcResult<Box<RawValue>>;
}

/// Mining.
#[rpc(server, client)]
pub trait MiningApi {
    /// Tells what this node's miner and the network's do.
    ///
    /// Example: `getmininginfo []`
    #[method(name = "getmininginfo", blocking)]
    fn mining_info(&self) -> RpcResult<MiningInfo>;

    /// Makes blocks at once, where blocks are made on demand (regtest); answers with their hashes.
    ///
    /// - `nblocks`: 1 to 10000.
    /// - `address`: whom they reward.
    ///
    /// Example: `generatetoaddress [2, "ADDRESS"]`
    #[method(name = "generatetoaddress")]
    async fn generate_to_address(&self, nblocks: u32, address: String) -> RpcResult<Vec<String>>;

    /// Takes a block made elsewhere; answers after it is durable.
    ///
    /// Answers null where it is on the active chain now, else as bitcoind does: "duplicate", or "inconclusive" where it
    /// is kept on a branch of less work. A block that is refused is an error that names the rule.
    ///
    /// - `hexdata`: the block, as `getblock` gives it at verbosity 0.
    ///
    /// Example: `submitblock ["BLOCK"]`
    #[method(name = "submitblock")]
    async fn submit_block(&self, hexdata: String) -> RpcResult<Option<String>>;
}

/// Wallet.
#[rpc(server, client)]
pub trait WalletApi {
    /// A new address of this wallet.
    ///
    /// Example: `getnewaddress []`
    #[method(name = "getnewaddress")]
    async fn new_address(&self) -> RpcResult<String>;

    /// The coins that this wallet can spend now; rewards that have not matured are not among them.
    ///
    /// Example: `getbalance []`
    #[method(name = "getbalance")]
    fn balance(&self) -> RpcResult<crate::types::Coins>;

    /// Pays coins to an address; answers with the txid.
    ///
    /// - `amount`: what arrives; the fee, and 0.05 coins where the address is new to the chain, come on top.
    ///
    /// Example: `sendtoaddress ["ADDRESS", 1.5]`
    #[method(name = "sendtoaddress")]
    async fn send_to_address(&self, address: String, amount: AmountText) -> RpcResult<String>;
}

/// Peers.
#[rpc(server, client)]
pub trait PeerApi {
    /// Lists the peers that are connected.
    ///
    /// `connection_type` is one of `inbound`, `outbound`, `manual` (named by `--peer` or `addnode`) and `nearby` (found on
    /// the local network). `same_deployment` is false where one of the two is an old release.
    ///
    /// Example: `getpeerinfo []`
    #[method(name = "getpeerinfo")]
    async fn peer_info(&self) -> RpcResult<Vec<PeerInfo>>;

    /// Tells how this node is connected, and the addresses to give to others.
    ///
    /// Example: `getnetworkinfo []`
    #[method(name = "getnetworkinfo")]
    async fn network_info(&self) -> RpcResult<NetworkInfo>;

    /// Stays connected to a peer, no longer does, or tries it once.
    ///
    /// What is added is forgotten when the node stops; `peer` in dotp2p.toml lasts.
    ///
    /// - `node`: a multiaddr, or host and port.
    /// - `command`: `add`, `remove` or `onetry`.
    ///
    /// Example: `addnode ["192.0.2.7:9353", "add"]`
    #[method(name = "addnode")]
    async fn add_node(&self, node: String, command: String) -> RpcResult<()>;

    /// Parts from a peer at once; it may come again.
    ///
    /// - `address`: its peer id, its multiaddr or `IP:PORT`, as `getpeerinfo` tells them.
    ///
    /// Example: `disconnectnode ["192.0.2.7:9353"]`
    #[method(name = "disconnectnode")]
    async fn disconnect_node(&self, address: String) -> RpcResult<()>;

    /// Bans an address, a subnet or a peer id, or lifts the ban.
    ///
    /// - `subnet`: such as `192.0.2.7`, `192.0.2.0/24`, or a peer id.
    /// - `command`: `add` or `remove`.
    /// - `bantime`: seconds, a day unless given.
    /// - `absolute`: `true` where `bantime` is a time, in Unix seconds.
    ///
    /// Example: `setban ["192.0.2.0/24", "add", 3600]`
    #[method(name = "setban")]
    async fn set_ban(
        &self,
        subnet: String,
        command: String,
        bantime: Option<u64>,
        absolute: Option<bool>,
    ) -> RpcResult<()>;

    /// Lists the bans that hold, those for misbehaviour with the reason.
    ///
    /// Example: `listbanned []`
    #[method(name = "listbanned")]
    async fn list_banned(&self) -> RpcResult<Vec<BanInfo>>;
}

/// Control.
#[rpc(server, client)]
pub trait ControlApi {
    /// Tells what this node is, how far it is and, if there is a wallet, what is in it.
    ///
    /// Example: `getinfo []`
    #[method(name = "getinfo", blocking)]
    fn info(&self) -> RpcResult<Info>;

    /// Lists the methods, or explains one.
    ///
    /// - `method`: which one.
    ///
    /// Example: `help ["name_show"]`
    #[method(name = "help")]
    fn help(&self, method: Option<String>) -> RpcResult<String>;

    /// Seconds since the node was started.
    ///
    /// Example: `uptime []`
    #[method(name = "uptime")]
    fn uptime(&self) -> RpcResult<u64>;

    /// Stops the node.
    ///
    /// Example: `stop []`
    #[method(name = "stop")]
    fn stop(&self) -> RpcResult<String>;
}
