//! `dotp2p chain export`: blocks of the active chain into a file that can be carried.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, IsTerminal, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use dotp2p_chain::block::BlockHead;
use dotp2p_chain::hash::BlockHash;
use dotp2p_chain::height::Height;
use serde_json::json;

use super::place::Place;
use crate::carry::{CarryError, Tail, file_head, record};
use crate::cli::progress::Progress;
use crate::cli::{CliError, Output};
use crate::config::Settings;

#[derive(Debug, clap::Args)]
#[command(allow_missing_positional = true)]
pub(super) struct ExportArgs {
    /// Heights, the first and the last; each may be left out: 100..200, 100.., ..200 [default: 1 to the tip]
    #[arg(value_name = "FROM..TO")]
    range: Option<Heights>,
    /// Where to; - for stdout. A file of the same chain is gone on with
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
}

/// A stretch of the chain as people type it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Heights {
    from: Option<Height>,
    to: Option<Height>,
}

impl FromStr for Heights {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "expected heights as in 100..200, 100.. or ..200";
        let height = |text: &str| match text {
            "" => Ok(None),
            _ => text.parse().map(|height| Some(Height(height))).map_err(|_| WRONG),
        };
        let (from, to) = text.split_once("..").ok_or(WRONG)?;
        let heights = Self { from: height(from)?, to: height(to)? };
        match (heights.from, heights.to) {
            (Some(Height::GENESIS), _) | (_, Some(Height::GENESIS)) => {
                Err("block 0 is the same in every folder of the network: begin with 1")
            }
            (Some(from), Some(to)) if from > to => Err("the first height is above the last"),
            _ => Ok(heights),
        }
    }
}

/// Where the blocks go.
struct Sink {
    /// `None`: stdout.
    file: Option<PathBuf>,
    out: Box<dyn Write>,
    /// The last block that is there already.
    after: Option<(Height, BlockHash)>,
}

pub(super) async fn run(args: ExportArgs, settings: &Settings, out: &Output) -> Result<(), CliError> {
    let file = Some(args.file).filter(|file| file != Path::new("-"));
    let heights = args.range.unwrap_or_default();
    check(file.as_deref(), args.range)?;
    let blocks = settings.dir.join("blocks");
    if settings.rpc.is_none() && !blocks.exists() {
        let (network, dir) = (&settings.params.deployment.name, settings.dir.display());
        return Err(CliError::Refused(format!(
            "there is no chain of network {network} in {dir}: give its --data-dir or --network"
        )));
    }
    let place = Place::find(settings).await?;
    let (tip, _) = place.tip().await?;
    let from = heights.from.unwrap_or(Height(1));
    let to = heights.to.unwrap_or(tip);
    if let Some(above) = [Some(from), heights.to].into_iter().flatten().find(|height| *height > tip) {
        return Err(CliError::Refused(format!("there is nothing to export at height {above}: the tip is at {tip}")));
    }
    let mut sink = match file {
        None => Sink { file: None, out: Box::new(BufWriter::new(io::stdout())), after: None },
        Some(file) => open(file, heights.from, &place, tip, settings).await?,
    };
    if sink.after.is_none() {
        write(&mut sink, &file_head(&settings.params.chain_id))?;
    }
    let first = sink.after.map_or(from, |(height, _)| height.next());
    let written = write_blocks(&mut sink, first, to, &place).await?;
    tell(&sink, first, to, written, out)
}

fn check(file: Option<&Path>, range: Option<Heights>) -> Result<(), CliError> {
    let text = match file {
        None if io::stdout().is_terminal() => {
            "an export is no text for a terminal: give a FILE, or send it into a pipe"
        }
        Some(file) if range.is_none() && file.to_str().is_some_and(|text| text.parse::<Heights>().is_ok()) => {
            "these are heights; after them comes the FILE to write, or -"
        }
        _ => return Ok(()),
    };
    Err(CliError::Usage(text.to_owned()))
}

/// Opens the file and finds where to go on; what is behind the last whole block of this chain is cut off. Rule X4.
async fn open(
    path: PathBuf,
    from: Option<Height>,
    place: &Place,
    tip: Height,
    settings: &Settings,
) -> Result<Sink, CliError> {
    let shown = path.display().to_string();
    let refused = |what: String| CliError::Refused(format!("{shown}: {what}"));
    let failed = |error: io::Error| refused(format!("cannot write it: {error}"));
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = opened.map_err(failed)?;
    let tail = Tail::of(BufReader::new(&file), &settings.params).map_err(|error| match error {
        CarryError::Io { .. } => refused(error.to_string()),
        error => refused(format!("{error}; it is left as it is: export to another file")),
    })?;
    if let (Some(first), Some(from)) = (tail.first, from)
        && first != from
    {
        return Err(refused(format!("it begins at height {first}, not {from}: export to another file")));
    }
    let known = match tail.last.back() {
        None => true,
        Some(last) => place.is_known(&last.hash).await?,
    };
    if !known {
        let last = tail.last.back().map_or(0, |last| last.height.0);
        return Err(refused(format!(
            "its last block, of height {last}, is not here: import it first, or export to another file"
        )));
    }
    let mut after = None;
    for block in tail.last.iter().rev() {
        // What is above the tip or was left by a reorganisation is here, and of less work.
        if block.height <= tip && place.hash_at(block.height).await? == block.hash {
            after = Some(*block);
            break;
        }
    }
    if after.is_none() && tail.first.is_some_and(|first| tail.last.front().is_none_or(|front| front.height > first)) {
        return Err(refused("too many of its last blocks are of another branch: export to another file".to_owned()));
    }
    let end = after.map_or(0, |block| block.end);
    file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end))).map_err(failed)?;
    let out = Box::new(Synced(BufWriter::new(file)));
    Ok(Sink { file: Some(path), out, after: after.map(|block| (block.height, block.hash)) })
}

/// A file that is on the disk when it is flushed.
struct Synced(BufWriter<File>);

impl Write for Synced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()?;
        self.0.get_ref().sync_all()
    }
}

fn write(sink: &mut Sink, bytes: &[u8]) -> Result<(), CliError> {
    let written = sink.out.write_all(bytes);
    written.map_err(|error| failed(sink, error))
}

fn failed(sink: &Sink, error: io::Error) -> CliError {
    match &sink.file {
        None => error.into(),
        Some(file) => {
            let file = file.display();
            CliError::Refused(format!("{file}: cannot write it: {error}; the same command again goes on from there"))
        }
    }
}

/// Writes the active blocks from `from` to `to`; how many.
async fn write_blocks(sink: &mut Sink, from: Height, to: Height, place: &Place) -> Result<u32, CliError> {
    let count = (to.0 + 1).saturating_sub(from.0);
    let mut progress = Progress::new("export", Some(count.into()));
    let mut parent = sink.after.map(|(_, hash)| hash);
    let mut next = if count > 0 { Some(place.hash_at(from).await?) } else { None };
    for height in (from.0..=to.0).map(Height) {
        let Some(hash) = next else { break };
        let after = async {
            let has_more = height < to;
            if has_more { place.hash_at(height.next()).await.map(Some) } else { Ok(None) }
        };
        let (encoded, after) = tokio::join!(place.block(height, &hash), after);
        let (encoded, after) = (encoded?, after?);
        let head = BlockHead::decode(&mut encoded.as_slice()).map_err(|error| CliError::Refused(error.to_string()))?;
        if parent.is_some_and(|parent| parent != head.header.prev_blockhash) || head.hash() != hash {
            sink.out.flush().map_err(|error| failed(sink, error))?;
            return Err(CliError::Refused(format!(
                "the chain was reorganised at height {height} meanwhile: the same command again goes on from there"
            )));
        }
        write(sink, &record(&encoded))?;
        (parent, next) = (Some(hash), after);
        progress.block(height, u64::from(height.0 + 1 - from.0));
    }
    let flushed = sink.out.flush();
    flushed.map_err(|error| failed(sink, error))?;
    Ok(count)
}

/// The last line. Stdout may be the export itself, which is kept clean.
fn tell(sink: &Sink, from: Height, to: Height, written: u32, out: &Output) -> Result<(), CliError> {
    let after = sink.after.map(|(height, _)| height);
    let name = sink.file.as_ref().map_or("stdout".to_owned(), |file| file.display().to_string());
    let text = match (written, after) {
        (0, after) => format!("{name}: nothing new, it reaches height {}", after.unwrap_or_default()),
        (_, None) => format!("{name}: {written} blocks, heights {from} to {to}"),
        (_, Some(after)) => format!("{name}: {written} blocks, heights {from} to {to}, behind those up to {after}"),
    };
    let json = json!({ "file": sink.file, "from": from.0, "to": to.0, "blocks": written, "resumed_after": after.map(|height| height.0) });
    match (&sink.file, out.is_json()) {
        (None, true) => out.note(json),
        (None, false) => out.note(text),
        (Some(_), true) => return out.json(&json),
        (Some(_), false) => return out.line(text),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_as_typed() {
        let heights = |from: u32, to: u32| {
            let height = |height| Some(Height(height)).filter(|height| height.0 > 0);
            Ok(Heights { from: height(from), to: height(to) })
        };
        let cases = [
            ("100..200", heights(100, 200)),
            ("7..7", heights(7, 7)),
            ("100..", heights(100, 0)),
            ("..200", heights(0, 200)),
            ("..", heights(0, 0)),
            ("100", Err("expected heights as in 100..200, 100.. or ..200")),
            ("a..b", Err("expected heights as in 100..200, 100.. or ..200")),
            ("1..=2", Err("expected heights as in 100..200, 100.. or ..200")),
            ("..4294967296", Err("expected heights as in 100..200, 100.. or ..200")),
            ("0..", Err("block 0 is the same in every folder of the network: begin with 1")),
            ("2..1", Err("the first height is above the last")),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse(), expected, "{text}");
        }
    }
}
