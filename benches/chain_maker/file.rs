//! Encoded blocks in a file under `target/`, each behind its length; kept, because making a million names takes minutes.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use dotp2p_chain::hash::sha256;

/// Reads blocks one by one.
pub struct Blocks(BufReader<File>);

impl Iterator for Blocks {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut len = [0; 4];
        self.0.read_exact(&mut len).ok()?;
        let mut block = vec![0; usize::try_from(u32::from_le_bytes(len)).unwrap()];
        self.0.read_exact(&mut block).unwrap();
        Some(block)
    }
}

/// The file of the chain that `what` describes: another network file, maker or description is another file.
pub fn path(what: &str) -> PathBuf {
    let made_by = [what.as_bytes(), include_bytes!("mod.rs"), include_bytes!("../bench.toml")].concat();
    let id: String = sha256(&made_by).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../bench");
    std::fs::create_dir_all(&dir).unwrap();
    dir.join(format!("{what}-{id}.chain"))
}

/// Writes blocks as a whole or not at all.
pub fn write(path: &Path, blocks: &[Vec<u8>]) {
    let draft = path.with_extension("new");
    let mut file = BufWriter::new(File::create(&draft).unwrap());
    for block in blocks {
        file.write_all(&u32::try_from(block.len()).unwrap().to_le_bytes()).unwrap();
        file.write_all(block).unwrap();
    }
    file.flush().unwrap();
    drop(file);
    std::fs::rename(draft, path).unwrap();
}

/// The blocks in a file, read as they are asked for.
pub fn read(path: &Path) -> Blocks {
    Blocks(BufReader::with_capacity(1 << 20, File::open(path).unwrap()))
}
