//! `dotp2p chain import`: blocks out of a file that was carried here.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use dotp2p_chain::hash::BlockHash;
use dotp2p_chain::height::Height;
use dotp2p_registry::query::Reader;
use serde_json::json;

use super::place::Place;
use crate::carry::{Carried, CarryError, CarryReader};
use crate::cli::progress::Progress;
use crate::cli::{CliError, Output};
use crate::config::Settings;
use crate::import::{Importer, Refusal};
use crate::node::{NodeError, now_s};

/// What is read of a file at once.
const BUFFER: usize = 1 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct ImportArgs {
    /// What to read; - for stdin
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
}

type Input = io::BufReader<Box<dyn Read + Send>>;

/// The blocks of the file, read when they are wanted, and what became of them.
struct Source {
    blocks: CarryReader<Input>,
    progress: Progress,
    first: Option<Height>,
    last: Option<(Height, BlockHash)>,
    /// What ended the file before its end.
    error: Option<CarryError>,
}

impl Iterator for Source {
    type Item = Carried;

    fn next(&mut self) -> Option<Carried> {
        match self.blocks.next()? {
            Ok(block) => {
                self.first.get_or_insert(block.height);
                self.last = Some((block.height, block.hash));
                self.progress.block(block.height, block.end);
                Some(block)
            }
            Err(error) => {
                self.error = Some(error);
                None
            }
        }
    }
}

/// How an import ended.
#[derive(Default)]
struct Ended {
    /// Blocks that are new.
    imported: u64,
    /// Blocks that were here before.
    known: u64,
    /// The block that was refused, and why.
    refused: Option<(Height, String)>,
}

pub(super) async fn run(args: ImportArgs, settings: &Settings, out: &Output) -> Result<(), CliError> {
    let name = args.file.display().to_string();
    let refused = |what: String| CliError::Refused(format!("{name}: {what}"));
    let (input, length) = open(&args.file).map_err(|error| refused(format!("cannot read it: {error}")))?;
    if length.is_none() && io::stdin().is_terminal() {
        return Err(CliError::Usage(
            "an export is no text to be typed: give a FILE, or send it into a pipe".to_owned(),
        ));
    }
    let blocks = CarryReader::open(io::BufReader::with_capacity(BUFFER, input), &settings.params);
    let blocks = blocks.map_err(|error| refused(error.to_string()))?;
    let progress = Progress::new("import", length);
    let mut source = Source { blocks, progress, first: None, last: None, error: None };
    let mut place = Place::find(settings).await?;
    let first = source.next();
    if let Some(first) = &first
        && !place.is_known(&first.parent).await?
    {
        let (tip, _) = place.tip().await?;
        return Err(refused(format!(
            "it begins at height {}, and the block before that is not here, where the tip is at {tip}: import a file \
            that begins lower",
            first.height
        )));
    }
    let ended = match &mut place {
        Place::Node(_) => into_node(first, &mut source, &place).await?,
        Place::Folder(importer, reader) => {
            let ended = into_folder(importer, reader, first, &mut source)?;
            **reader = importer.reader();
            ended
        }
    };
    source.progress.finish();
    let (tip, tip_hash) = place.tip().await?;
    let is_active = match source.last {
        Some((height, hash)) => height <= tip && place.hash_at(height).await? == hash,
        None => true,
    };
    if let Place::Folder(importer, _) = place {
        importer.close();
    }
    let kept = format!("the {} blocks before it are kept", ended.imported + ended.known);
    let failed = |what: String, todo: &str| Err(refused(format!("{what}; {kept}, the tip is at {tip}: {todo}")));
    if let Some((height, error)) = ended.refused {
        let todo = "where the clock is right, a file from somebody else goes on from there";
        return failed(format!("the block of height {height} is refused: {error}"), todo);
    }
    if let Some(error) = source.error {
        return failed(error.to_string(), "a whole copy of the file goes on from there");
    }
    tell(&name, &source, &ended, (tip, tip_hash), is_active, out)
}

/// The file or stdin, and the file's length.
fn open(path: &Path) -> io::Result<(Box<dyn Read + Send>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin()), None));
    }
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    Ok((Box::new(file), Some(length)))
}

async fn into_node(first: Option<Carried>, source: &mut Source, place: &Place) -> Result<Ended, CliError> {
    let (tip, _) = place.tip().await?;
    let mut ended = Ended::default();
    let mut next = first;
    while let Some(block) = next {
        if block.height <= tip && place.hash_at(block.height).await? == block.hash {
            ended.known += 1;
        } else {
            match place.submit(&block.encoded).await? {
                Ok(true) => ended.imported += 1,
                Ok(false) => ended.known += 1,
                Err(error) => {
                    ended.refused = Some((block.height, error));
                    break;
                }
            }
        }
        next = source.next();
    }
    Ok(ended)
}

/// `reader`: a view of the folder as it is.
fn into_folder(
    importer: &mut Importer,
    reader: &Reader,
    first: Option<Carried>,
    source: &mut Source,
) -> Result<Ended, CliError> {
    let begins = first.as_ref().map_or(0, |first| first.height.0);
    let mut known = 0;
    // Blocks follow one another, so those on the active chain all come before those that are not.
    let blocks = first.into_iter().chain(&mut *source).filter_map(|block| {
        let is_active = reader.is_active(block.height, &block.hash);
        known += u64::from(is_active);
        (!is_active).then_some(block.encoded)
    });
    let imported = importer.import_in_order(blocks, now_s());
    let (spent, refusal) = imported.map_err(|error| CliError::Node(NodeError::Import(error)))?;
    let refused = refusal.map(|Refusal { at, error }| {
        let height = u64::from(begins) + known + at;
        (Height(u32::try_from(height).unwrap_or(u32::MAX)), error.to_string())
    });
    Ok(Ended { imported: spent.blocks, known: known + spent.known, refused })
}

fn tell(
    name: &str,
    source: &Source,
    ended: &Ended,
    (tip, tip_hash): (Height, BlockHash),
    is_active: bool,
    out: &Output,
) -> Result<(), CliError> {
    let Ended { imported, known, .. } = ended;
    if out.is_json() {
        return out.json(&json!({
            "file": name,
            "from": source.first.map(|height| height.0),
            "to": source.last.map(|(height, _)| height.0),
            "imported": imported,
            "known": known,
            "blocks": tip.0,
            "bestblockhash": tip_hash.to_string(),
        }));
    }
    if !is_active {
        out.note("its last block is on a branch of less work than the chain here: kept, and not followed");
    }
    out.line(format_args!("{name}: {imported} blocks imported, {known} were here already; the tip is at height {tip}"))
}
