//! Every layout in a scratch root: what is planned, that it is undone to the byte, and what is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;

mod layouts;
mod undoing;

const DS: &str = "p2p. IN DS 3858 13 2 A611AE36C0F524ED493E6F0012D84A02DE951BF475050754D459BECE34322177";

/// A root with files: `path -> text`, or `path -> "-> target"` for a link.
fn root(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let full = facts::below(root.path(), Path::new(path));
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        match text.strip_prefix("-> ") {
            #[cfg(unix)]
            Some(to) => std::os::unix::fs::symlink(to, full).unwrap(),
            _ => fs::write(full, text).unwrap(),
        }
    }
    root
}

fn target(server: &str, anchor: bool) -> Target {
    let anchor = anchor.then(|| Anchor::parse(DS, "p2p").unwrap());
    Target { tld: "p2p".to_owned(), servers: vec![server.parse().unwrap()], anchor }
}

/// Everything below a root: files with their bytes and permissions, folders, links.
fn picture(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let name = path.strip_prefix(root).unwrap().to_owned();
            let seen = if meta.is_dir() {
                folders.push(path);
                "folder".to_owned()
            } else if meta.is_symlink() {
                format!("-> {}", fs::read_link(&path).unwrap().display())
            } else {
                format!("{:?} {:?}", meta.permissions(), fs::read(&path).unwrap())
            };
            all.insert(name, seen);
        }
    }
    all
}

/// What setting up would do, as people read it.
fn shown(root: &Path, kind: Option<Kind>, target: &Target) -> String {
    let machine = Machine::open(root).unwrap();
    let facts = machine.facts(false).unwrap();
    let (kind, why) = match kind.map_or_else(|| detect(&facts), |kind| Ok((kind, "as was said".to_owned()))) {
        Ok(found) => found,
        Err(error) => return format!("refused: {error}\n"),
    };
    let plan = match plan(kind, &facts, target) {
        Ok(plan) => plan,
        Err(error) => return format!("{}: {why}\nrefused: {error}\n", kind.title()),
    };
    let mut shown = format!("{}: {why}\n", kind.title());
    for step in machine.steps(&plan.changes).unwrap() {
        shown += &unified_diff(&step.path.display().to_string(), step.now.as_deref(), step.then.as_deref());
    }
    plan.by_hand.iter().for_each(|line| shown += &format!("by hand: {line}\n"));
    plan.notes.iter().for_each(|line| shown += &format!("note: {line}\n"));
    kind.reload("p2p").iter().for_each(|line| shown += &format!("then: {line}\n"));
    shown
}

/// Sets up, as the command does.
fn set_up(root: &Path, kind: Kind, target: &Target) -> Result<usize, String> {
    let mut machine = Machine::open(root).unwrap();
    let facts = machine.facts(false).map_err(|error| error.to_string())?;
    let plan = plan(kind, &facts, target).map_err(|error| error.to_string())?;
    let steps = machine.steps(&plan.changes).map_err(|error| error.to_string())?;
    if !steps.is_empty() {
        machine.check_writable(&steps).unwrap();
        machine.apply(&plan, &target.tld, &steps).map_err(|error| error.to_string())?;
    }
    Ok(steps.len())
}

fn undo(root: &Path, force: bool) -> Result<(), String> {
    let mut machine = Machine::open(root).unwrap();
    machine.check_undo(force).map_err(|error| error.to_string())?;
    let steps = machine.steps(&[]).unwrap();
    machine.undo(&steps).map_err(|error| error.to_string())
}
