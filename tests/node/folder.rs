//! Folders that a node must not open, or that are damaged: each has its own error, word for word.

use std::path::{Path, PathBuf};

use dotp2p::node::{Node, NodeConfig};
use dotp2p_chain::entry::EntryKey;
use dotp2p_chain::height::Height;
use dotp2p_chain::params::Params;
use dotp2p_registry::row::Row;
use dotp2p_registry::state::State;
use dotp2p_registry::state_tree::Leaf;
use dotp2p_registry::store::{Commit, Store};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{TestNode, config, name};

/// Why a node does not start in the folder, the folder's path shown as `DIR`.
async fn refusal(params: &Params, dir: &Path) -> String {
    match Node::start(config(params, dir)).await {
        Ok(_) => panic!("it starts"),
        Err(error) => error.to_string().replace(dir.to_str().unwrap(), "DIR"),
    }
}

async fn reopened(folder: TempDir, change: impl FnOnce(&mut NodeConfig)) -> TestNode {
    TestNode::start_in(folder, &Params::regtest(), change).await.unwrap_or_else(|error| panic!("{}", error.0))
}

/// A folder with `alice` in it.
async fn folder() -> TempDir {
    let node = TestNode::start(&Params::regtest()).await;
    node.register("alice", 1, "@ A 192.0.2.7").await;
    node.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_another_network() {
    let folder = folder().await;
    let regtest = Params::regtest().chain_id;
    let (test, found) = (Params::test(), refusal(&Params::test(), folder.path()).await);
    let said = format!("DIR belongs to network regtest ({regtest}), this node runs test ({}); ", test.chain_id);
    assert_eq!(found, said + "give it another --data-dir");
    reopened(folder, |_| ()).await.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_newer_format() {
    let folder = folder().await;
    let path = folder.path().join("format.json");
    let written = std::fs::read_to_string(&path).unwrap();
    // A newer release may have added fields, and taken others away.
    for newer in [written.replace("\"format\":1", "\"format\":2"), r#"{"format":2,"shards":4}"#.to_owned()] {
        std::fs::write(&path, newer).unwrap();
        let said = "DIR has format 2, this release reads 1; use the release that wrote it, or a newer one; \
                    if none did, the file format.json in it is damaged: remove it";
        assert_eq!(refusal(&Params::regtest(), folder.path()).await, said);
    }
    std::fs::write(&path, written).unwrap();
    reopened(folder, |_| ()).await.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_use() {
    let node = TestNode::start(&Params::regtest()).await;
    let said = "DIR is in use by another node; stop it, or give this one another --data-dir";
    assert_eq!(refusal(&Params::regtest(), &node.dir()).await, said);
    node.mine(1).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_damaged_format_file() {
    let mut folder = folder().await;
    let path = folder.path().join("format.json");
    let written = std::fs::read(&path).unwrap();
    let text = String::from_utf8(written.clone()).unwrap();
    let chain_id = Params::regtest().chain_id.to_string();
    let cases: Vec<Vec<u8>> = vec![
        vec![],
        b"{".to_vec(),
        b"[]".to_vec(),
        b"{\"format\":1}".to_vec(),
        b"{\"format\":1,\"network\":\"regtest\",\"chain_id\":7}".to_vec(),
        vec![0xff, 0xfe],
        text.replace("\"format\":1", "\"format\":0").into_bytes(),
        text.replace(&chain_id, &chain_id.replace('0', "1")).into_bytes(),
    ];
    for broken in cases {
        std::fs::write(&path, &broken).unwrap();
        let said = "DIR/format.json is damaged; \
                    start once with --reindex, which writes it anew if the blocks are this network's";
        assert_eq!(refusal(&Params::regtest(), folder.path()).await, said, "{}", broken.escape_ascii());
        let node = reopened(folder, |config| config.reindex = true).await;
        assert_eq!(node.show("alice").await.state, "active");
        folder = node.stop().await;
        assert_eq!(std::fs::read(&path).unwrap(), written);
    }
    // Nothing tells whose folder it is.
    std::fs::remove_dir_all(folder.path().join("blocks")).unwrap();
    std::fs::write(&path, "").unwrap();
    assert!(refusal(&Params::regtest(), folder.path()).await.starts_with("DIR/format.json is damaged"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_block_file_is_cut_off() {
    let folder = folder().await;
    let path = folder.path().join("blocks/00000.dat");
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let len = file.metadata().unwrap().len();
    file.set_len(len - 1).unwrap();
    let said = format!(
        "DIR is damaged: the block files end at 00000.dat offset {}, where 00000.dat offset {len} was written; \
         start once with --reindex, which rebuilds it from the blocks",
        len - 1
    );
    assert_eq!(refusal(&Params::regtest(), folder.path()).await, said, "before anything new is written there");
    let node = reopened(folder, |config| config.reindex = true).await;
    node.mine(1).await;
    node.stop().await;
}

/// sled writes its snapshot at each open, under another name first, and takes a half-written one for the newest.
#[tokio::test(flavor = "multi_thread")]
async fn with_a_snapshot_of_the_database_that_was_not_finished() {
    let folder = folder().await;
    std::fs::write(folder.path().join("db/snap.FFFFFFFFFFFFFFFF.generating"), "half").unwrap();
    let node = reopened(folder, |_| ()).await;
    assert_eq!(node.show("alice").await.state, "active");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn that_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("regtest");
    std::fs::write(&path, "").unwrap();
    assert_eq!(refusal(&Params::regtest(), &path).await, "DIR: File exists (os error 17)");
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_database_says_something_else_than_its_tip() {
    let folder = folder().await;
    let params = Params::regtest();
    let (mut store, loaded) = Store::open(folder.path(), &params, false).unwrap();
    let mut commit = Commit { meta: loaded.meta, ..Commit::default() };
    commit.rows.insert(EntryKey::Level, Some(Leaf::of(&EntryKey::Level, &Row::Level(1_000_001))));
    store.commit(&commit).unwrap();
    drop(store);
    // The copy of the state, which is right, does not hide it.
    let said = refusal(&params, folder.path()).await;
    let (before, roots) = said.split_once("the stored state has root ").unwrap();
    let (roots, after) = roots.split_at(64 + ", the tip commits to ".len() + 64);
    assert_eq!(before, "DIR is damaged: ");
    assert_eq!(&roots[64..85], ", the tip commits to ");
    assert_eq!(after, "; start once with --reindex, which rebuilds it from the blocks");
    let node = reopened(folder, |config| config.reindex = true).await;
    assert_eq!(node.show("alice").await.state, "active");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_database_holds_what_is_no_row() {
    let folder = folder().await;
    let params = Params::regtest();
    let (mut store, loaded) = Store::open(folder.path(), &params, false).unwrap();
    let mut commit = Commit { meta: loaded.meta, ..Commit::default() };
    commit.chain.insert(Height(2), None);
    store.commit(&commit).unwrap();
    drop(store);
    let said = "DIR is damaged: the active chain has a gap before height 3; \
                start once with --reindex, which rebuilds it from the blocks";
    assert_eq!(refusal(&params, folder.path()).await, said);
    reopened(folder, |config| config.reindex = true).await.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_copy_of_the_state_is_of_another_tip() {
    let folder = folder().await;
    let path = folder.path().join("state.dat");
    let older = std::fs::read(&path).unwrap();
    let node = reopened(folder, |_| ()).await;
    node.register("bob", 1, "@ A 192.0.2.8").await;
    let folder = node.stop().await;
    assert_ne!(std::fs::read(&path).unwrap(), older, "each stop leaves its own");
    std::fs::write(&path, older).unwrap();
    let node = reopened(folder, |_| ()).await;
    assert_eq!(node.show("bob").await.state, "active");
    node.stop().await;
}

/// The price level that a folder's state has as it is read at start.
fn level(dir: &Path) -> u64 {
    Store::open(dir, &Params::regtest(), false).unwrap().1.state.level()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_copy_of_the_state_is_read_where_it_is_of_the_tip_and_whole() {
    let folder = folder().await;
    let (dir, params) = (folder.path(), Params::regtest());
    let path = dir.join("state.dat");
    let (mut store, loaded) = Store::open(dir, &params, false).unwrap();
    let (tip, before) = (loaded.chain.last().unwrap().hash, loaded.chain[1].hash);
    let root = loaded.state.root();
    let changed = State::from_rows(vec![(EntryKey::Level, Row::Level(7))]);
    let changed = || changed.tree().leaves();
    let written = std::fs::read(&path).unwrap();
    store.copy_state(&tip, changed()).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), written, "it was there already and is not written again");
    std::fs::remove_file(&path).unwrap();
    drop(store);
    let (mut store, loaded) = Store::open(dir, &params, false).unwrap();
    assert_eq!(loaded.state.root(), root, "the database has the same rows");
    store.copy_state(&tip, changed()).unwrap();
    drop(store);
    assert_eq!(level(dir), 7, "it is what is read");
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let right = level(dir);
    assert_ne!(right, 7, "not where it is damaged");
    let (mut store, _) = Store::open(dir, &params, false).unwrap();
    store.copy_state(&before, changed()).unwrap();
    drop(store);
    assert_eq!(level(dir), right, "not where it is of another block");
    // Found by reading: the copy hid what a torn commit had left in the database. It goes before anything is written.
    let (mut store, _) = Store::open(dir, &params, false).unwrap();
    assert!(path.exists());
    drop(store.begin_write().unwrap());
    assert!(!path.exists());
    drop(store);
    assert_eq!(level(dir), right);
    reopened(folder, |_| ()).await.stop().await;
}

/// A copy of the folder with one byte of a file changed.
fn with_flipped_byte(folder: &TempDir, file: &Path, at: usize) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(folder.path(), copy.path());
    let path = copy.path().join(file);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[at] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
    copy
}

/// The files of the database and how many bytes of each are in use.
fn database_files(folder: &TempDir) -> Vec<(PathBuf, usize)> {
    let entries = std::fs::read_dir(folder.path().join("db")).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    let used = |path: &Path| std::fs::read(path).unwrap().iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let mut files: Vec<_> = files.map(|entry| (Path::new("db").join(entry.file_name()), used(&entry.path()))).collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_flipped_byte_in_the_database() {
    // The restart has the database take stock, so that it knows what must be there.
    let folder = reopened(folder().await, |_| ()).await.stop().await;
    let tip = reopened(folder, |_| ()).await;
    let (hash, folder) = (tip.reader().tip_hash(), tip.stop().await);
    // As after a kill: the rows must come from the database.
    std::fs::remove_file(folder.path().join("state.dat")).unwrap();
    let mut refused = std::collections::BTreeSet::new();
    for (file, used) in database_files(&folder) {
        for at in (0..used).step_by((used / 8).max(1)) {
            let copy = with_flipped_byte(&folder, &file, at);
            match Node::start(config(&Params::regtest(), copy.path())).await {
                // A byte that nothing is read from any more.
                Ok(node) => {
                    assert_eq!(node.handle().newest().tip_hash(), hash, "{} byte {at}", file.display());
                    node.stop().await.unwrap();
                }
                Err(error) => {
                    let said = error.to_string().replace(copy.path().to_str().unwrap(), "DIR");
                    let expected = "database DIR/db: Read corrupted data at file offset None backtrace (); \
                                    if this persists, start once with --reindex, which rebuilds it from the blocks";
                    assert_eq!(said, expected, "{} byte {at}", file.display());
                    refused.insert(file.clone());
                    let node = reopened(copy, |config| config.reindex = true).await;
                    assert_eq!(node.reader().tip_hash(), hash, "rebuilt");
                    node.stop().await;
                }
            }
        }
    }
    assert!(refused.len() >= 3, "its settings, its log and its snapshot: {refused:?}");
}

/// What the log gained since the node was started is only known from the log itself: a record that is damaged ends it,
/// as one does that was cut off by a crash. The state is whole and older, and the blocks behind it are in their files.
#[tokio::test(flavor = "multi_thread")]
async fn with_a_flipped_byte_in_what_the_database_wrote_last() {
    let folder = folder().await;
    let log = Path::new("db/db");
    let used = database_files(&folder).into_iter().find(|(file, _)| file == log).unwrap().1;
    let copy = with_flipped_byte(&folder, log, used - 100);
    let (store, loaded) = Store::open(copy.path(), &Params::regtest(), false).unwrap();
    assert_eq!(loaded.chain.len(), 5, "the database has lost block 5");
    drop(store);
    let node = reopened(copy, |_| ()).await;
    assert_eq!(node.tip(), 5, "and the node has not");
    assert_eq!(node.show("alice").await.state, "active");
    node.stop().await;
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_flipped_byte_in_a_block_file() {
    let healthy = TestNode::start(&Params::regtest()).await;
    healthy.register("alice", 1, "@ A 192.0.2.7").await;
    let node = TestNode::start(&Params::regtest()).await;
    node.follow(&healthy).await;
    let (tip, root) = (node.reader().tip_hash(), node.state_root());
    let block = node.reader().block(Height(4)).unwrap().encode();
    let folder = node.stop().await;
    let path = folder.path().join("blocks/00000.dat");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(block.len()).position(|window| window == block).unwrap();
    bytes[at + 200] ^= 1;
    std::fs::write(&path, bytes).unwrap();

    let node = reopened(folder, |_| ()).await;
    assert_eq!(node.show("alice").await.state, "active", "what does not need the block still works");
    let hash = node.reader().chain_row(Height(4)).unwrap().hash;
    let (code, text, _) = node.refused("getblock", json!([hash.to_string()])).await;
    let text = text.replace(node.dir().to_str().unwrap(), "DIR");
    let damage = format!("DIR/blocks/00000.dat at offset {at}: checksum does not match");
    assert_eq!((code, text), (-20, format!("{damage}; start once with --reindex if this persists")));

    let rebuilt = |config: &mut NodeConfig| config.reindex = true;
    let node = reopened(node.stop().await, rebuilt).await;
    assert_eq!(node.tip(), 3, "the chain ends before the damaged block");
    node.follow(&healthy).await;
    assert_eq!((node.reader().tip_hash(), node.state_root()), (tip, root), "and goes on when it comes again");
    node.stop().await;
    healthy.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rebuilt_from_the_blocks() {
    let node = TestNode::start(&Params::regtest()).await;
    node.register("alice", 1, "@ A 192.0.2.7").await;
    let rival = TestNode::start(&Params::regtest()).await.on_branch(b"rival");
    rival.mine(2).await;
    node.take_all(&rival).await;
    let (before, show) = (node.picture(), node.call::<Value>("name_show", json!(["alice"])).await);
    let side = rival.reader().tip_hash();
    let (serial, leaves) = (node.reader().meta.serial, node.reader().state.tree().leaves().count());
    let folder = node.stop().await;
    let node = reopened(folder, |config| config.reindex = true).await;
    assert_eq!(node.picture(), before);
    assert_eq!(node.call::<Value>("name_show", json!(["alice"])).await, show);
    assert_eq!((node.reader().meta.serial, node.reader().state.tree().leaves().count()), (serial, leaves));
    assert!(node.reader().head(&side).is_ok(), "branches are rebuilt, too");
    let folder = node.stop().await;
    std::fs::remove_dir_all(folder.path().join("db")).unwrap();
    let node = reopened(folder, |_| ()).await;
    assert_eq!(node.picture(), before, "a missing database is rebuilt unasked");
    assert!(node.reader().name(&name("alice")).is_some());
    node.mine(1).await;
    node.stop().await;
    rival.stop().await;
}
