//! ARCHITECTURE.md against the tree: its arrows are cargo's, its paths exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

type Arrows = BTreeMap<String, BTreeSet<String>>;

/// What is read of `cargo metadata`.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `dev`, `build`, or absent.
    kind: Option<String>,
    /// Absent for what comes from a registry.
    path: Option<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> String {
    std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is readable")
}

/// The lines of the first fenced block below a heading.
fn block<'a>(page: &'a str, heading: &str) -> Vec<&'a str> {
    let below = page.lines().skip_while(|line| *line != format!("## {heading}"));
    below.skip_while(|line| !line.starts_with("```")).skip(1).take_while(|line| !line.starts_with("```")).collect()
}

/// `from -> to, to` lines.
fn drawn() -> Arrows {
    let page = page();
    let arrow = |line: &str| {
        let (from, to) = line.split_once("->").expect("a line of the arrows has an arrow");
        (from.trim().to_owned(), to.split(',').map(|to| to.trim().to_owned()).collect())
    };
    block(&page, "Arrows").into_iter().map(arrow).collect()
}

/// What the workspace's manifests say, tests' own needs left out.
fn real() -> Arrows {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let short = |name: &str| name.strip_prefix("dotp2p-").unwrap_or(name).to_owned();
    let arrows = |package: &Package| {
        let inside = package.dependencies.iter().filter(|it| it.path.is_some() && it.kind.as_deref() != Some("dev"));
        (short(&package.name), inside.map(|it| short(&it.name)).collect::<BTreeSet<_>>())
    };
    metadata.packages.iter().map(arrows).filter(|(_, to)| !to.is_empty()).collect()
}

#[test]
fn arrows_are_drawn_as_they_are() {
    let (drawn, real) = (drawn(), real());
    let pairs = |arrows: &Arrows| -> BTreeSet<String> {
        arrows.iter().flat_map(|(from, to)| to.iter().map(move |to| format!("{from} -> {to}"))).collect()
    };
    let (drawn, real) = (pairs(&drawn), pairs(&real));
    assert!(!real.is_empty(), "no arrows at all");
    let hidden: Vec<_> = real.difference(&drawn).collect();
    assert!(hidden.is_empty(), "ARCHITECTURE.md does not draw: {hidden:?}");
    let imagined: Vec<_> = drawn.difference(&real).collect();
    assert!(imagined.is_empty(), "ARCHITECTURE.md draws what is not there: {imagined:?}");
}

#[test]
fn every_room_exists() {
    let page = page();
    let mut room = String::new();
    let mut rooms = 0;
    for line in block(&page, "Rooms") {
        let columns = line.trim_start().split("  ").next().unwrap_or_default();
        if !line.starts_with(' ') {
            room = columns.to_owned();
            assert!(root().join(&room).is_dir(), "there is no folder {room}");
            rooms += 1;
            continue;
        }
        let sources = if room == "src/" { root().join(&room) } else { root().join(&room).join("src") };
        for module in columns.split(' ') {
            // A room of rooms.
            if root().join(&room).join(module).is_dir() {
                continue;
            }
            let file = sources.join(format!("{module}.rs"));
            assert!(file.is_file(), "there is no module {}", file.display());
        }
    }
    assert!(rooms >= 6, "only {rooms} rooms are drawn");
}

#[test]
fn every_path_in_the_text_exists() {
    let page = page();
    let (room, _) = page.split_once("## What is missing").expect("a section on what is missing");
    let quoted = room.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let linked = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let is_path = |text: &&str| text.contains('/') || text.ends_with(".rs") || text.ends_with(".md");
    let paths: Vec<&str> = quoted.filter(is_path).chain(linked).collect();
    assert!(paths.len() > 5, "found only {paths:?}");
    for path in paths {
        assert!(root().join(path).exists(), "{path} does not exist");
    }
}
