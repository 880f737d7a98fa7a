//! Where results go: plain text for pipes, tables and colour for terminals, JSON for programs.
//!
//! Results are written to stdout, everything else (notes, questions, progress, errors) to stderr. Writing never panics;
//! a reader that went away is an error like another, and [`super::main`] keeps quiet about it.

use std::fmt::Display;
use std::io::{self, BufRead, IsTerminal, Write};

use comfy_table::presets::{NOTHING, UTF8_HORIZONTAL_ONLY};
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table};
use serde::Serialize;

use super::CliError;

/// Columns below which a table is not fitted: cells of a few letters help nobody.
const NARROW: u16 = 72;

/// Results on their way out.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
    terminal: bool,
    colour: bool,
}

/// What a text is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// What to look at.
    Bold,
    /// Beside the point.
    Faint,
}

/// Whether the environment lets colours be used (<https://no-color.org>).
pub(super) fn is_colour_wanted() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// The last line of a command that failed.
pub(super) fn complain(error: &impl Display) {
    let text = error.to_string();
    let text = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let _ = writeln!(io::stderr(), "dotp2p: {text}");
}

impl Output {
    /// Results to stdout, as JSON or for people.
    #[must_use]
    pub fn new(json: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        Self { json, terminal, colour: terminal && is_colour_wanted() }
    }

    /// Whether results are to be JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// A line of the result.
    pub fn line(&self, text: impl Display) -> Result<(), CliError> {
        Ok(writeln!(io::stdout().lock(), "{text}")?)
    }

    /// Text of the result that has its own line ends.
    pub fn text(&self, text: &str) -> Result<(), CliError> {
        Ok(io::stdout().lock().write_all(text.as_bytes())?)
    }

    /// The result as one line of JSON.
    pub fn json(&self, value: &impl Serialize) -> Result<(), CliError> {
        self.line(serde_json::to_string(value).map_err(io::Error::from)?)
    }

    /// `key  value` lines; those without a value are left out.
    pub fn pairs(&self, pairs: &[(&str, Option<String>)]) -> Result<(), CliError> {
        let width = pairs.iter().filter(|(_, value)| value.is_some()).map(|(key, _)| key.len()).max().unwrap_or(0);
        for (key, value) in pairs {
            if let Some(value) = value {
                self.line(format_args!("{} {value}", self.paint(&format!("{key:width$}"), Tone::Faint)))?;
            }
        }
        Ok(())
    }

    /// A table: ruled and fitted on a terminal, columns with spaces between elsewhere.
    pub fn table<T: Into<Cell>>(&self, header: &[&str], rows: Vec<Vec<T>>) -> Result<(), CliError> {
        let mut table = Table::new();
        table.load_style(if self.terminal { UTF8_HORIZONTAL_ONLY } else { NOTHING });
        if !self.terminal {
            table.force_no_tty();
        } else if table.width().is_some_and(|width| width >= NARROW) {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        }
        table.set_header(header.iter().map(|text| self.cell(text, Tone::Bold)).collect::<Vec<_>>());
        for row in rows {
            table.add_row(row);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for line in table.lines() {
            self.line(line.trim_end())?;
        }
        Ok(())
    }

    /// A cell of a table, in the colour of `tone`, where colours are shown.
    #[must_use]
    pub fn cell(&self, text: &str, tone: Tone) -> Cell {
        let cell = Cell::new(text);
        match tone {
            _ if !self.colour => cell,
            Tone::Good => cell.fg(Color::Green),
            Tone::Bad => cell.fg(Color::Red),
            Tone::Bold => cell.add_attribute(Attribute::Bold),
            Tone::Faint => cell.add_attribute(Attribute::Dim),
        }
    }

    /// `text` in the colour of `tone`, where colours are shown.
    #[must_use]
    pub fn paint(&self, text: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Bold => "1",
            Tone::Faint => "2",
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Something to know that is not the result.
    pub fn note(&self, text: impl Display) {
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// Asks before something that cannot be taken back; `yes`: it was agreed to on the command line.
    ///
    /// Errors: the answer is no, or there is nobody to ask.
    pub fn confirm(&self, question: &str, yes: bool) -> Result<(), CliError> {
        if yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            let text = format!("{question} Nobody can be asked here: add --yes to agree");
            return Err(CliError::Usage(text));
        }
        write!(io::stderr(), "{question} [y/N] ")?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(CliError::Refused("nothing was done".to_owned())),
        }
    }
}
