//! A chain carried in a file: out of one folder or node, into another, through interruptions, damage and lies.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

mod common;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use common::TestNode;
use dotp2p::carry::{Carried, CarryError, CarryReader, Tail, file_head, record};
use dotp2p::import::{ImportError, Importer, Refusal};
use dotp2p::miner;
use dotp2p::node::{Node, NodeConfig};
use dotp2p_chain::block::Block;
use dotp2p_chain::check::{BlockError, Condemns};
use dotp2p_chain::hash::{BlockHash, StateRoot, from_hex, to_hex};
use dotp2p_chain::height::Height;
use dotp2p_chain::key::PublicKey;
use dotp2p_chain::params::{Params, Rules};
use dotp2p_registry::mempool::Limits;
use dotp2p_registry::store::Store;
use parity_scale_codec::Decode;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The program in a folder of its own.
struct Cli(TempDir);

impl Cli {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    fn run(&self, args: &[&str], stdin: &[u8]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dotp2p"));
        command.env_clear().env("DOTP2P_NETWORK", "regtest").env("DOTP2P_DATA_DIR", self.0.path());
        command.current_dir(self.0.path()).arg("chain").args(args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Whoever does not want it may be gone already.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        child.wait_with_output().unwrap()
    }

    /// What a command that succeeds prints, as JSON.
    fn ok(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--json"]].concat(), b"");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The one line of a command that fails.
    fn fails(&self, args: &[&str]) -> String {
        let output = self.run(args, b"");
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), b"".as_slice()), "{args:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        text.strip_prefix("dotp2p: ").unwrap().trim_end().to_owned()
    }

    /// Tip and state root of its folder.
    fn chain(&self) -> (Height, BlockHash, StateRoot) {
        let importer = open(&self.path("regtest"), &Params::regtest());
        let reader = importer.reader();
        (reader.tip, reader.tip_hash(), reader.state.root())
    }
}

fn open(dir: &Path, params: &Params) -> Importer {
    let params = Arc::new(params.clone());
    let (store, loaded) = Store::open(dir, &params, false).unwrap();
    Importer::open(store, loaded, params, Limits::default(), |_| ()).unwrap().0
}

/// A chain with a name in it: its blocks from 1 on, and the state root at its end.
async fn chain(blocks: u32, branch: &'static [u8]) -> (Vec<Block>, StateRoot) {
    let node = TestNode::start(&Params::regtest()).await.on_branch(branch);
    if blocks > 8 {
        node.register("alice", 1, "@ A 192.0.2.7\n").await;
    }
    node.mine_to(blocks).await;
    let reader = node.reader();
    let chain = (1..=blocks).map(|height| reader.block(Height(height)).unwrap()).collect();
    let root = node.state_root();
    node.stop().await;
    (chain, root)
}

fn carried(blocks: &[Block]) -> Vec<u8> {
    let mut file = file_head(&Params::regtest().chain_id).to_vec();
    blocks.iter().for_each(|block| file.append(&mut record(&block.encode())));
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn into_an_empty_folder_and_out_again() {
    let (blocks, root) = chain(12, b"").await;
    let (file, tip) = (carried(&blocks), blocks[11].hash());
    let cli = Cli::new();
    std::fs::write(cli.path("a.dp2c"), &file).unwrap();
    let imported = |imported: u32, known: u32| {
        json!({
            "file": "a.dp2c", "from": 1, "to": 12, "imported": imported, "known": known,
            "blocks": 12, "bestblockhash": tip.to_string(),
        })
    };
    assert_eq!(cli.ok(&["import", "a.dp2c"]), imported(12, 0));
    assert_eq!(cli.ok(&["import", "a.dp2c"]), imported(0, 12), "what is here is passed over");
    let exported = cli.ok(&["export", "b.dp2c"]);
    assert_eq!(exported, json!({ "file": "b.dp2c", "from": 1, "to": 12, "blocks": 12, "resumed_after": null }));
    assert_eq!(cli.file("b.dp2c"), file);
    let output = cli.run(&["export", "-"], b"");
    assert_eq!(output.stdout, file, "nothing but the export");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "stdout: 12 blocks, heights 1 to 12\n");
    cli.ok(&["export", "3..5", "c.dp2c"]);
    assert_eq!(cli.file("c.dp2c"), carried(&blocks[2..5]));
    cli.ok(&["export", "11..", "d.dp2c"]);
    assert_eq!(cli.file("d.dp2c"), carried(&blocks[10..]));
    cli.ok(&["export", "..2", "e.dp2c"]);
    assert_eq!(cli.file("e.dp2c"), carried(&blocks[..2]));
    assert_eq!(cli.chain(), (Height(12), tip, root));

    let other = Cli::new();
    let output = other.run(&["import", "-"], &file);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "-: 12 blocks imported, 0 were here already; the tip is at height 12\n"
    );
    assert_eq!(other.chain(), (Height(12), tip, root));
}

/// Where a file may end: nowhere, in its head, between records, in a record's head, in a block.
fn cuts(blocks: &[Block]) -> Vec<usize> {
    let ends = (0..=blocks.len()).map(|count| carried(&blocks[..count]).len());
    let mut cuts: Vec<usize> = ends.flat_map(|end| [end - 1, end, end + 1, end + 8, end + 100]).collect();
    cuts.retain(|cut| *cut < carried(blocks).len());
    cuts.splice(0..0, [0, 1, 5]);
    cuts
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_was_stopped_anywhere_goes_on() {
    let (blocks, _) = chain(3, b"").await;
    let whole = carried(&blocks);
    let cli = Cli::new();
    std::fs::write(cli.path("whole.dp2c"), &whole).unwrap();
    cli.ok(&["import", "whole.dp2c"]);
    for cut in cuts(&blocks) {
        std::fs::write(cli.path("cut.dp2c"), &whole[..cut]).unwrap();
        let there = (1..=3).rfind(|count| carried(&blocks[..*count]).len() <= cut);
        let exported = cli.ok(&["export", "cut.dp2c"]);
        assert_eq!(exported["resumed_after"], json!(there), "{cut}");
        assert_eq!(exported["blocks"], json!(3 - there.unwrap_or(0)), "{cut}");
        assert_eq!(cli.file("cut.dp2c"), whole, "{cut}");
    }
    let nothing = json!({ "file": "cut.dp2c", "from": 4, "to": 3, "blocks": 0, "resumed_after": 3 });
    assert_eq!(cli.ok(&["export", "cut.dp2c"]), nothing);
    assert_eq!(cli.ok(&["export", "..2", "cut.dp2c"])["blocks"], 0, "what is beyond is not taken away");
    assert_eq!(cli.file("cut.dp2c"), whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_stopped_anywhere_goes_on() {
    let (blocks, root) = chain(3, b"").await;
    let whole = carried(&blocks);
    let ends: Vec<usize> = (0..=3).map(|count| carried(&blocks[..count]).len()).collect();
    for cut in cuts(&blocks) {
        let cli = Cli::new();
        std::fs::write(cli.path("cut.dp2c"), &whole[..cut]).unwrap();
        let there = ends.iter().filter(|end| **end <= cut).count().saturating_sub(1);
        if ends.contains(&cut) {
            assert_eq!(cli.ok(&["import", "cut.dp2c"])["imported"], json!(there), "{cut}");
        } else {
            let begins = ends.iter().rfind(|end| **end < cut).copied().unwrap_or(0);
            let after = if there > 0 { format!("after block {there}") } else { "before the first block".to_owned() };
            let error =
                format!("cut.dp2c: it is cut off at offset {cut}, in what begins at offset {begins}, {after} (X2)");
            let text = cli.fails(&["import", "cut.dp2c"]);
            assert!(text.starts_with(&error), "{text}");
            if cut > ends[0] {
                let kept = format!(
                    "; the {there} blocks before it are kept, the tip is at {there}: a whole copy of the file goes on \
                     from there"
                );
                assert!(text.ends_with(&kept), "{text}");
            }
        }
        std::fs::write(cli.path("whole.dp2c"), &whole).unwrap();
        let went_on = cli.ok(&["import", "whole.dp2c"]);
        assert_eq!((&went_on["imported"], &went_on["known"]), (&json!(3 - there), &json!(there)), "{cut}");
        assert_eq!(cli.chain(), (Height(3), blocks[2].hash(), root));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_foreign_and_refused() {
    let (blocks, _) = chain(5, b"").await;
    let cli = Cli::new();
    let import = |bytes: &[u8]| {
        std::fs::write(cli.path("a.dp2c"), bytes).unwrap();
        cli.fails(&["import", "a.dp2c"])
    };
    let at = carried(&blocks[..2]).len();

    let mut said = Vec::new();
    let folder = cli.0.path().to_str().unwrap();
    let mut say = |text: String| said.push(text.replace(folder, "DIR"));
    let mut damaged = carried(&blocks);
    damaged[at + 150] ^= 1;
    say(import(&damaged));
    let range = carried(&blocks[3..]);
    say(import(&range));
    say(import(b"$ORIGIN p2p.\n"));
    say(cli.fails(&["import", "none.dp2c"]));
    say(cli.fails(&["export", "9..", "b.dp2c"]));
    say(cli.fails(&["export", "nowhere/b.dp2c"]));
    say(cli.fails(&["export", "b.dp2c", "--network", "test"]));
    std::fs::write(cli.path("a.dp2c"), carried(&blocks)).unwrap();
    say(cli.fails(&["import", "a.dp2c", "--network", "test"]));
    say(cli.fails(&["export", "2..", "a.dp2c"]));

    // A block that is whole and follows on what came before, and whose state root is a lie.
    let mut lie = blocks[2].clone();
    lie.head.roots.state_root = StateRoot::ZERO;
    let lie = common::mined(lie);
    let mut after = blocks[3].clone();
    after.head.header.prev_blockhash = lie.hash();
    let after = common::header_changed(after);
    let lies = [blocks[0].clone(), blocks[1].clone(), lie, after];
    let text = import(&carried(&lies)).replace(&lies[2].hash().to_string(), "HASH");
    say(text);
    insta::assert_snapshot!("refused", said.join("\n"));
    assert_eq!(cli.chain().1, blocks[1].hash(), "what was good before stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_follows_a_reorganisation() {
    let ((short, _), (long, _)) = (chain(3, b"short").await, chain(4, b"long").await);
    let cli = Cli::new();
    let put = |name: &str, blocks: &[Block]| std::fs::write(cli.path(name), carried(blocks)).unwrap();
    put("short.dp2c", &short);
    put("long.dp2c", &long);
    cli.ok(&["import", "short.dp2c"]);
    let text = cli.fails(&["export", "long.dp2c"]);
    let ahead = "long.dp2c: its last block, of height 4, is not here: import it first, or export to another file";
    assert_eq!(text, ahead);
    assert_eq!(cli.file("long.dp2c"), carried(&long), "it is left as it is");
    assert_eq!(cli.ok(&["import", "long.dp2c"])["bestblockhash"], long[3].hash().to_string());
    let exported = cli.ok(&["export", "short.dp2c"]);
    assert_eq!((&exported["blocks"], &exported["resumed_after"]), (&json!(4), &Value::Null));
    assert_eq!(cli.file("short.dp2c"), carried(&long), "its blocks were of less work");
    put("short.dp2c", &short);
    let output = cli.run(&["import", "short.dp2c"], b"");
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "its last block is on a branch of less work than the chain here: kept, and not followed\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_node_running() {
    let (blocks, root) = chain(12, b"").await;
    let cli = Cli::new();
    let any = "127.0.0.1:0".parse().unwrap();
    let config = NodeConfig {
        rpc_listen: any,
        dns_listen: vec![any],
        ..NodeConfig::new(Params::regtest(), cli.path("regtest"))
    };
    let node = Node::start(config).await.unwrap();
    let handle = node.handle();
    tokio::task::block_in_place(|| {
        std::fs::write(cli.path("a.dp2c"), carried(&blocks[..4])).unwrap();
        let range = carried(&blocks[5..]);
        std::fs::write(cli.path("range.dp2c"), &range).unwrap();
        let imported = cli.ok(&["import", "a.dp2c"]);
        assert_eq!((&imported["imported"], &imported["known"], &imported["blocks"]), (&json!(4), &json!(0), &json!(4)));
        let missing = "range.dp2c: it begins at height 6, and the block before that is not here, where the tip is at 4: \
                       import a file that begins lower";
        assert_eq!(cli.fails(&["import", "range.dp2c"]), missing);
        let mut lie = blocks[4].clone();
        lie.head.roots.state_root = StateRoot::ZERO;
        let lie = common::mined(lie);
        std::fs::write(cli.path("lie.dp2c"), carried(&[&blocks[..4], &[lie]].concat())).unwrap();
        let text = cli.fails(&["import", "lie.dp2c"]);
        assert!(text.starts_with("lie.dp2c: the block of height 5 is refused: "), "{text}");
        assert!(text.ends_with("; the 4 blocks before it are kept, the tip is at 4: where the clock is right, a file from somebody else goes on from there"), "{text}");
        std::fs::write(cli.path("a.dp2c"), carried(&blocks)).unwrap();
        let imported = cli.ok(&["import", "a.dp2c"]);
        assert_eq!((&imported["imported"], &imported["known"]), (&json!(8), &json!(4)));
        cli.ok(&["export", "6..", "b.dp2c"]);
        assert_eq!(cli.file("b.dp2c"), range);
        assert_eq!(cli.run(&["export", "-"], b"").stdout, carried(&blocks));
        std::fs::write(cli.path("a.dp2c"), carried(&blocks[..7])).unwrap();
        assert_eq!(cli.ok(&["export", "a.dp2c"])["resumed_after"], 7);
        assert_eq!(cli.file("a.dp2c"), carried(&blocks));
        let text =
            cli.fails(&["import", "a.dp2c", "--network", "test", "--rpc", &format!("http://{}", node.rpc_addr())]);
        assert!(text.starts_with("a.dp2c: it is of the chain "), "{text}");
    });
    assert_eq!(handle.newest().tip_hash(), blocks[11].hash());
    assert_eq!(handle.newest().state.root(), root);
    node.stop().await.unwrap();
}

/// The clock rule holds for what comes from elsewhere, and condemns nothing (B12c).
#[test]
fn blocks_ahead_of_the_clock_are_not_taken() {
    let rules = Rules { half_life: Some(600), id: *b"carry clock test", ..Params::regtest().rules };
    let params = Params::new(rules, Params::regtest().deployment).unwrap();
    let now_s = params.rules.genesis_time + 10_000;
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut importer = open(from.path(), &params);
    let mut blocks = Vec::new();
    for time in [now_s, now_s + 600, now_s + 601, now_s + 602] {
        let block = miner::template(&importer.reader(), PublicKey([1; 32]), Vec::new(), time).unwrap();
        let encoded = miner::mine(block, &AtomicBool::new(false), |_| ()).unwrap().encode();
        let (spent, refusal) = importer.import_in_order([encoded.clone()].into_iter(), now_s + 9_999).unwrap();
        assert_eq!((spent.blocks, refusal.is_none()), (1, true));
        blocks.push(encoded);
    }
    let mut importer = open(to.path(), &params);
    let (spent, refusal) = importer.import_in_order(blocks.clone().into_iter(), now_s).unwrap();
    assert_eq!((spent.blocks, importer.tip()), (2, Height(2)));
    let Some(Refusal { at: 2, error }) = refusal else { panic!("{refusal:?}") };
    assert!(matches!(error, ImportError::Block(BlockError::Future { .. })), "{error}");
    assert_eq!(error.condemns(), Condemns::Nothing);
    let (spent, refusal) = importer.import_in_order(blocks.into_iter(), now_s + 2).unwrap();
    assert_eq!((spent.blocks, spent.known, refusal.is_none(), importer.tip()), (2, 2, true, Height(4)));
}

/// A file of `tests/vectors/carry.json`, which an independent script made from `docs/spec/carry.md`.
struct Vector {
    comment: String,
    params: Params,
    /// X4: what ends it is cut off by an export.
    is_torn: bool,
    /// What ends the reading, and where that begins.
    ended: Option<(String, u64)>,
    file: Vec<u8>,
    /// Of the whole blocks: height, hash, where the record ends.
    blocks: Vec<(u32, String, u64)>,
    /// What a node that knew genesis alone has after importing it.
    tip: (u32, String, String),
}

fn vectors() -> Vec<Vector> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/carry.json");
    let json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let number = |value: &Value| value.as_u64().unwrap();
    let height = |value: &Value| u32::try_from(number(value)).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let bytes = |value: &Value| from_hex(&text(value)).unwrap();
    let vector = |list: &str, case: &Value| {
        let rules = bytes(&json["networks"][text(&case["network"])]["rules"]);
        let rules = Rules::decode(&mut rules.as_slice()).unwrap();
        let block = |block: &Value| (height(&block["height"]), text(&block["hash"]), number(&block["end"]));
        let tip = &case["tip"];
        Vector {
            comment: text(&case["comment"]),
            params: Params::new(rules, Params::regtest().deployment).unwrap(),
            is_torn: list == "torn",
            ended: (list != "good").then(|| (text(&case["what"]), number(&case["at"]))),
            file: bytes(&case["file"]),
            blocks: case["blocks"].as_array().unwrap().iter().map(block).collect(),
            tip: (height(&tip["height"]), text(&tip["hash"]), text(&tip["state_root"])),
        }
    };
    let lists = ["good", "torn", "bad"].into_iter();
    lists.flat_map(|list| json[list].as_array().unwrap().iter().map(move |case| vector(list, case))).collect()
}

/// What a reader stopped at, in the vectors' words.
fn ended(error: &CarryError) -> (String, u64) {
    let (what, at) = match error {
        CarryError::Magic => ("magic", 0),
        CarryError::Version(_) => ("version", 0),
        CarryError::OtherChain { .. } => ("chain", 0),
        CarryError::Cut { at, .. } => ("torn", *at),
        CarryError::Length { at, .. } => ("length", *at),
        CarryError::Checksum { at, .. } => ("checksum", *at),
        CarryError::Head { at, .. } => ("pow", *at),
        CarryError::Order { at, .. } => ("order", *at),
        CarryError::Io { error, .. } => panic!("{error}"),
    };
    (what.to_owned(), at)
}

#[test]
fn vectors_are_read_and_written() {
    for Vector { comment, params, is_torn, ended: expected, file, blocks, .. } in vectors() {
        let read = CarryReader::open(file.as_slice(), &params).map(|reader| {
            let mut end = None;
            let good: Vec<Carried> = reader.map_while(|next| next.map_err(|error| end = Some(error)).ok()).collect();
            (good, end)
        });
        let (good, end) = read.unwrap_or_else(|error| (Vec::new(), Some(error)));
        let found: Vec<_> = good.iter().map(|it| (it.height.0, to_hex(&it.hash.0), it.end)).collect();
        assert_eq!((found, end.as_ref().map(ended)), (blocks.clone(), expected.clone()), "{comment}");
        let mut written = file_head(&params.chain_id).to_vec();
        good.iter().for_each(|block| written.append(&mut record(&block.encoded)));
        match Tail::of(file.as_slice(), &params) {
            Ok(tail) => {
                assert!(is_torn || expected.is_none(), "{comment}");
                assert_eq!(tail.is_torn, is_torn && !file.is_empty(), "{comment}");
                let last = tail.last.back().map(|place| (place.height.0, to_hex(&place.hash.0), place.end));
                assert_eq!(last.as_ref(), blocks.last(), "{comment}");
                assert!(written.starts_with(&file) || file.starts_with(&written), "{comment}");
                assert_eq!(written == file, !is_torn, "{comment}");
            }
            Err(error) => assert_eq!((Some(ended(&error)), is_torn), (expected, false), "{comment}"),
        }
    }
}

#[test]
fn vectors_are_imported_up_to_what_ends_them() {
    for vector in vectors().into_iter().filter(|it| it.params.rules == Params::regtest().rules) {
        let Vector { comment, ended, file, blocks, tip, .. } = vector;
        let cli = Cli::new();
        std::fs::write(cli.path("a.dp2c"), &file).unwrap();
        let is_whole = ended.is_none() && blocks.last().map_or(0, |block| block.0) == tip.0;
        assert_eq!(cli.run(&["import", "a.dp2c"], b"").status.success(), is_whole, "{comment}");
        let (height, hash, root) = cli.chain();
        assert_eq!((height.0, to_hex(&hash.0), to_hex(&root.0)), tip, "{comment}");
    }
}

#[test]
fn vectors_are_exported_and_gone_on_with() {
    let all: Vec<Vector> = vectors().into_iter().filter(|it| it.params.rules == Params::regtest().rules).collect();
    let whole = &all[0].file;
    let cli = Cli::new();
    std::fs::write(cli.path("whole.dp2c"), whole).unwrap();
    cli.ok(&["import", "whole.dp2c"]);
    assert_eq!(&cli.run(&["export", "-"], b"").stdout, whole);
    let stretch = all.iter().find(|it| it.blocks.first().is_some_and(|block| block.0 == 3)).unwrap();
    assert_eq!(cli.run(&["export", "3..", "-"], b"").stdout, stretch.file, "{}", stretch.comment);
    for Vector { comment, is_torn, file, .. } in all.iter().filter(|it| it.ended.is_some()) {
        std::fs::write(cli.path("a.dp2c"), file).unwrap();
        if *is_torn {
            cli.ok(&["export", "a.dp2c"]);
            assert_eq!(&cli.file("a.dp2c"), whole, "{comment}");
        } else {
            cli.fails(&["export", "a.dp2c"]);
            assert_eq!(&cli.file("a.dp2c"), file, "{comment}: it is left as it is");
        }
    }
}
