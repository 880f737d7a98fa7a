use dotp2p_chain::block::Block;

use super::*;

/// Blocks of heights `from` to `to`, each the next one's parent; nothing else of them is right.
fn blocks(from: u32, to: u32) -> Vec<Block> {
    let mut block = Params::regtest().genesis;
    let mut numbered = |height| {
        block.head.header.prev_blockhash = block.hash();
        block.head.roots.height = Height(height);
        block.coinbase.extra = vec![7; usize::try_from(height % 60).unwrap()];
        block.clone()
    };
    (1..=to).map(&mut numbered).skip(usize::try_from(from).unwrap() - 1).collect()
}

fn file(blocks: &[Block]) -> Vec<u8> {
    let mut file = file_head(&Params::regtest().chain_id).to_vec();
    blocks.iter().for_each(|block| file.append(&mut record(&block.encode())));
    file
}

/// The heights that come out of a file, and what ended it.
fn read(file: &[u8]) -> (Vec<u32>, Option<String>) {
    let reader = match CarryReader::open(file, &Params::regtest()) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), Some(error.to_string())),
    };
    let (mut heights, mut end) = (Vec::new(), None);
    for block in reader {
        assert_eq!(end, None, "nothing comes after an error");
        match block {
            Ok(block) => heights.push(block.height.0),
            Err(error) => end = Some(error.to_string()),
        }
    }
    (heights, end)
}

#[test]
fn written_and_read_again() {
    let blocks = blocks(5, 9);
    let bytes = file(&blocks);
    assert_eq!(&bytes[..5], b"dp2c\x01");
    let carried: Vec<Carried> =
        CarryReader::open(bytes.as_slice(), &Params::regtest()).unwrap().map(Result::unwrap).collect();
    assert_eq!(carried.iter().map(|it| it.height.0).collect::<Vec<_>>(), [5, 6, 7, 8, 9]);
    for (block, carried) in blocks.iter().zip(&carried) {
        assert_eq!((block.hash(), block.head.header.prev_blockhash), (carried.hash, carried.parent));
        assert_eq!(block.encode(), carried.encoded);
    }
    assert_eq!(carried.last().unwrap().end, bytes.len() as u64);
    assert_eq!(read(&file(&[])), (vec![], None), "a file of no blocks is one");
}

#[test]
fn cut_at_any_offset_the_whole_blocks_before_come_out() {
    let blocks = blocks(1, 3);
    let whole = file(&blocks);
    let ends: Vec<usize> = (0..=3).map(|count| file(&blocks[..count]).len()).collect();
    for len in 0..whole.len() {
        let count = ends.iter().filter(|end| **end <= len).count();
        let (heights, end) = read(&whole[..len]);
        assert_eq!(heights.len(), count.saturating_sub(1), "{len}");
        let begins = if count == 0 { 0 } else { ends[count - 1] };
        let after = if count > 1 { format!("after block {}", count - 1) } else { "before the first block".to_owned() };
        let expected = format!("it is cut off at offset {len}, in what begins at offset {begins}, {after} (X2)");
        assert_eq!(end, if ends.contains(&len) { None } else { Some(expected) });
        let tail = Tail::of(&whole[..len], &Params::regtest()).unwrap();
        assert_eq!((tail.has_head, tail.is_torn), (count > 0, len != 0 && !ends.contains(&len)), "{len}");
        let last = tail.last.back().map(|place| (u64::from(place.height.0), place.end));
        assert_eq!(last, (count > 1).then(|| (count as u64 - 1, ends[count - 1] as u64)));
        assert_eq!(tail.first, (count > 1).then_some(Height(1)));
    }
}

#[test]
fn a_changed_byte_anywhere_is_noticed() {
    let blocks = blocks(1, 3);
    let whole = file(&blocks);
    let ends: Vec<usize> = (0..=3).map(|count| file(&blocks[..count]).len()).collect();
    for at in 0..whole.len() {
        let mut bad = whole.clone();
        bad[at] ^= 0x10;
        let (heights, end) = read(&bad);
        let before = ends.iter().filter(|end| **end <= at).count().saturating_sub(1);
        assert_eq!(heights.len(), before, "{at}");
        assert!(end.is_some(), "{at}");
    }
}

#[test]
fn what_is_no_export_of_this_chain() {
    let whole = file(&blocks(1, 2));
    let params = Params::regtest();
    let changed = |at: usize, to: &[u8]| {
        let mut bytes = whole.clone();
        bytes[at..at + to.len()].copy_from_slice(to);
        read(&bytes).1.unwrap()
    };
    assert_eq!(changed(0, b"dp2r"), "it is no file of `dotp2p chain export`: it does not begin with `dp2c` (X1)");
    assert_eq!(read(b"{}").1.unwrap(), "it is no file of `dotp2p chain export`: it does not begin with `dp2c` (X1)");
    assert_eq!(changed(4, &[2]), "it is of version 2, this release reads 1: use a newer one (X1)");
    let (main, regtest) = (Params::main().chain_id, params.chain_id);
    assert_eq!(
        changed(5, &main.0),
        format!("it is of the chain {main}, this network's is {regtest}: give the --network that it is of (X1)")
    );
    let most = "it is damaged at offset 37, before the first block: a block has 190 to 262333 bytes, not";
    assert_eq!(changed(37, &u32::MAX.to_le_bytes()), format!("{most} 4294967295 (X2)"));
    assert_eq!(changed(37, &[0; 4]), format!("{most} 0 (X2)"));
}

#[test]
fn blocks_that_do_not_follow_one_another() {
    let blocks = blocks(1, 4);
    let with = |blocks: &[Block]| read(&file(blocks));
    let first = 37 + 8 + blocks[0].encode().len();
    let gap = with(&[blocks[0].clone(), blocks[2].clone()]);
    let text = |at: usize, height: u32, after: &str| {
        Some(format!("the block of height {height} at offset {at}, {after}, does not follow on what is before it (X3)"))
    };
    assert_eq!(gap, (vec![1], text(first, 3, "after block 1")));
    assert_eq!(with(&[blocks[0].clone(), blocks[0].clone()]), (vec![1], text(first, 1, "after block 1")));
    let mut other = blocks[1].clone();
    other.head.header.prev_blockhash = blocks[3].hash();
    assert_eq!(with(&[blocks[0].clone(), other]), (vec![1], text(first, 2, "after block 1")));
    let genesis = with(&[Params::regtest().genesis]);
    assert_eq!(genesis, (vec![], text(37, 0, "before the first block")));
    let mut tag = blocks[0].encode();
    tag[BlockHead::LEN - 1] = 9;
    let mut bytes = file(&[]);
    bytes.append(&mut record(&tag));
    let error = "the record at offset 37, before the first block, is no block: proof-of-work tag 9 is not supported, \
                 expected 0 (native) (X3)";
    assert_eq!(read(&bytes), (vec![], Some(error.to_owned())));
}

#[test]
fn a_tail_that_never_reached_the_disk() {
    let blocks = blocks(1, 3);
    let whole = file(&blocks);
    let two = file(&blocks[..2]).len();
    let mut zeros = whole.clone();
    zeros[two + 8..].fill(0);
    let tail = Tail::of(zeros.as_slice(), &Params::regtest()).unwrap();
    assert_eq!((tail.is_torn, tail.last.len(), tail.last[1].end), (true, 2, two as u64));
    // Damaged where more follows: that is no torn tail, and what follows may be all there is.
    let mut middle = whole;
    middle[two - 1] ^= 1;
    let error = Tail::of(middle.as_slice(), &Params::regtest()).unwrap_err().to_string();
    let one = file(&blocks[..1]).len();
    assert_eq!(error, format!("it is damaged at offset {one}, after block 1: the checksum does not match (X2)"));
}
