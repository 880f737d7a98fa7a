//! `docs/economics.md`: prose by hand, tables between markers by the simulations.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Report;

/// The repository's `docs`.
#[must_use]
pub fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// Puts the tables of `reports` into the page and writes their plots beside it.
pub fn write(docs: &Path, reports: &[Report]) -> io::Result<()> {
    let path = docs.join("economics.md");
    let mut page = fs::read_to_string(&path)?;
    for (name, table) in reports.iter().flat_map(|report| &report.tables) {
        page = with_table(&page, name, table)
            .ok_or_else(|| io::Error::other(format!("{} has no place for table {name}", path.display())))?;
    }
    fs::write(&path, page)?;
    fs::create_dir_all(docs.join("plots"))?;
    for (name, svg) in reports.iter().flat_map(|report| &report.plots) {
        fs::write(docs.join("plots").join(format!("{name}.svg")), svg)?;
    }
    Ok(())
}

/// The page with another table between the markers of that name; `None` where it has none.
#[must_use]
pub fn with_table(page: &str, name: &str, table: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- table {name} -->\n"), "<!-- end -->");
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}{table}{end}{after}"))
}
