//! Records from the command line, a zone file or a JSON list.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use dotp2p_chain::name::Name;
use dotp2p_registry::zonefile::{
    self, Import, JsonRecord, Options, ZoneFileError, check_for_signing, from_json, gather, record_line, to_json,
};

use crate::cli::{CliError, Output};
use crate::config::Settings;

/// Where records come from.
#[derive(Debug, clap::Args)]
pub(super) struct RecordArgs {
    /// A record, OWNER [TTL] TYPE DATA, such as '@ A 192.0.2.7' or 'www 300 CNAME @'; repeatable
    #[arg(long = "record", value_name = "RECORD")]
    records: Vec<String>,
    /// The records of a zone file; `-` reads it from stdin
    #[arg(long, value_name = "FILE", conflicts_with = "records")]
    zone: Option<PathBuf>,
    /// Keep NS records of the name itself in the zone file: other servers answer for it
    #[arg(long, requires = "zone")]
    delegate: bool,
}

/// More than any records can be.
const FILE_MAX: u64 = 1 << 20;

impl RecordArgs {
    /// Whether records come from stdin, so that nobody can be asked there.
    pub(super) fn reads_stdin(&self) -> bool {
        self.zone.as_deref() == Some(Path::new("-"))
    }

    /// Reads and checks them, and shows what was changed or is probably not meant; `None` where none were given.
    pub(super) fn read(
        &self,
        name: &Name,
        settings: &Settings,
        out: &Output,
    ) -> Result<Option<Vec<JsonRecord>>, CliError> {
        let (tld, limits) = (settings.tld(), settings.params.rules.record_limits(name.as_bytes().len()));
        let import = match &self.zone {
            None if self.records.is_empty() => return Ok(None),
            None => {
                let mut parsed = Vec::with_capacity(self.records.len());
                for line in &self.records {
                    let record = record_line(line, name, &tld);
                    let wrong = |error| CliError::Usage(format!("--record {line:?}: {}", without_line(&error)));
                    parsed.push(record.map_err(wrong)?);
                }
                gather(parsed, limits).map_err(|error| CliError::Usage(format!("--record: {error}")))?
            }
            Some(path) => {
                let text = read_text(path)?;
                let options = Options { delegate: self.delegate };
                let import = zonefile::import(&text, name, &tld, options, limits);
                import.map_err(|error| CliError::Refused(format!("{}: {error}", source(path))))?
            }
        };
        checked(import, name, &tld, out).map(Some)
    }
}

/// Reads a JSON list of records.
pub(super) fn read_json(
    path: &Path,
    name: &Name,
    settings: &Settings,
    out: &Output,
) -> Result<Vec<JsonRecord>, CliError> {
    let refused = |error: &dyn std::fmt::Display| CliError::Refused(format!("{}: {error}", source(path)));
    let list: Vec<JsonRecord> = serde_json::from_str(&read_text(path)?).map_err(|error| refused(&error))?;
    let (tld, limits) = (settings.tld(), settings.params.rules.record_limits(name.as_bytes().len()));
    let import = from_json(&list, name, &tld, limits).map_err(|error| refused(&error))?;
    checked(import, name, &tld, out)
}

fn checked(import: Import, name: &Name, tld: &str, out: &Output) -> Result<Vec<JsonRecord>, CliError> {
    import.notes.iter().for_each(|note| out.note(format_args!("note: {note}")));
    let warnings = check_for_signing(&import.records, name, tld);
    let warnings = warnings.map_err(|error| CliError::Refused(error.to_string()))?;
    warnings.iter().for_each(|warning| out.note(format_args!("warning: {warning}")));
    Ok(to_json(&import.records))
}

/// A record of the command line is one line: its column says enough.
fn without_line(error: &ZoneFileError) -> String {
    match error {
        ZoneFileError::Line { line: 1, column, problem } => format!("column {column}: {problem}"),
        other => other.to_string(),
    }
}

fn source(path: &Path) -> String {
    if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() }
}

fn read_text(path: &Path) -> Result<String, CliError> {
    let refused = |error: io::Error| CliError::Refused(format!("cannot read {}: {error}", source(path)));
    let mut text = String::new();
    let reader: &mut dyn Read =
        if path == Path::new("-") { &mut io::stdin().lock() } else { &mut fs::File::open(path).map_err(refused)? };
    reader.take(FILE_MAX + 1).read_to_string(&mut text).map_err(refused)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > FILE_MAX {
        return Err(CliError::Refused(format!("{} has more than {FILE_MAX} bytes", source(path))));
    }
    Ok(text)
}
