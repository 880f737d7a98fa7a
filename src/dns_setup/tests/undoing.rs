//! That what was done can be undone, to the byte.

use proptest::prelude::*;

use super::*;

/// A machine on which every resolver of Linux is installed.
const FILES: [(&str, &str); 8] = [
    ("/etc/resolv.conf", "nameserver 127.0.0.1\n"),
    ("/etc/systemd/resolved.conf", "[Resolve]\n"),
    ("/etc/NetworkManager/NetworkManager.conf", "[main]\n"),
    ("/etc/dnsmasq.conf", "# no end of line"),
    ("/etc/unbound/unbound.conf", "server:\n\tverbosity: 1\n"),
    ("/etc/bind/named.conf", "include \"/etc/bind/named.conf.options\";\ninclude \"/etc/bind/named.conf.local\";\n"),
    ("/etc/bind/named.conf.options", "options {\n};\n"),
    ("/etc/bind/named.conf.local", ""),
];
const KINDS: [Kind; 7] =
    [Kind::Resolved, Kind::NetworkManager, Kind::Dnsmasq, Kind::Unbound, Kind::Bind, Kind::ResolvConf, Kind::Macos];

proptest! {
    // Each writes a dozen files durably, several times.
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Set up for any resolvers one after the other, over any text: twice is the same as once, and undoing gives back all.
    #[test]
    fn undoing_gives_every_byte_back(
        kinds in prop::collection::vec((0..KINDS.len(), any::<bool>()), 1..4),
        tails in prop::collection::vec("[ -~]{0,8}(\r?\n|\\PC{0,3})", FILES.len()),
    ) {
        let texts: Vec<String> = FILES.iter().zip(&tails).map(|((path, text), tail)| {
            // In resolv.conf and the comments of the others any text may stand.
            if *path == "/etc/resolv.conf" { format!("{text}; {tail}") } else { format!("# {}\n{text}", tail.trim()) }
        }).collect();
        let files: Vec<(&str, &str)> = FILES.iter().zip(&texts).map(|((path, _), text)| (*path, text.as_str())).collect();
        let root = root(&files);
        let before = picture(root.path());
        let mut is_set_up = false;
        for (kind, anchor) in kinds {
            let (kind, target) = (KINDS[kind], target("127.0.0.5:53", anchor));
            prop_assert!(set_up(root.path(), kind, &target).unwrap() > 0 || is_set_up);
            is_set_up = true;
            let once = picture(root.path());
            prop_assert_eq!(set_up(root.path(), kind, &target), Ok(0), "the second time does nothing");
            prop_assert_eq!(&picture(root.path()), &once);
        }
        undo(root.path(), false).unwrap();
        prop_assert_eq!(picture(root.path()), before);
    }
}

#[test]
fn what_somebody_changed_is_not_overwritten() {
    let root = root(&FILES);
    let before = picture(root.path());
    let target = target("127.0.0.1:9355", false);
    set_up(root.path(), Kind::Bind, &target).unwrap();
    let local = root.path().join("etc/bind/named.conf.local");
    let changed = fs::read_to_string(&local).unwrap() + "zone \"lan\" { };\n";
    fs::write(&local, &changed).unwrap();
    fs::remove_file(root.path().join("etc/bind/named.conf.dotp2p")).unwrap();
    let with_change = picture(root.path());

    // A file of ours that is gone is as it was before, so nothing is lost by going on.
    let error = "/etc/bind/named.conf.local was changed since `dotp2p dns setup` wrote it, and is left as it is; --force overwrites it";
    assert_eq!(undo(root.path(), false), Err(error.to_owned()));
    assert_eq!(set_up(root.path(), Kind::Bind, &target), Err(error.to_owned()));
    assert_eq!(picture(root.path()), with_change, "nothing was touched");

    undo(root.path(), true).unwrap();
    assert_eq!(picture(root.path()), before);
    assert_eq!(undo(root.path(), true), Err("nothing was set up here, so there is nothing to undo".to_owned()));
}

/// A crash leaves a manifest and some of the files; each such state can be undone, and be finished.
#[test]
fn a_crash_at_any_step_can_be_undone_and_finished() {
    let target = target("127.0.0.1:9355", false);
    for first in [None, Some(Kind::Unbound)] {
        for done in 0..6 {
            for finish in [false, true] {
                let root = root(&FILES);
                let before = picture(root.path());
                if let Some(kind) = first {
                    set_up(root.path(), kind, &target).unwrap();
                }
                let mut machine = Machine::open(root.path()).unwrap();
                let facts = machine.facts(false).unwrap();
                let plan = plan(Kind::Bind, &facts, &target).unwrap();
                let mut steps = machine.steps(&plan.changes).unwrap();
                if let Some(step) = steps.get_mut(done) {
                    // The step fails as if somebody had written the file meanwhile; what comes after it is not done.
                    step.now = Some(b"something else".to_vec());
                    assert!(matches!(machine.apply(&plan, "p2p", &steps), Err(ApplyError::ChangedMeanwhile(_))));
                } else {
                    machine.apply(&plan, "p2p", &steps).unwrap();
                }
                if finish {
                    set_up(root.path(), Kind::Bind, &target).unwrap();
                    assert_eq!(set_up(root.path(), Kind::Bind, &target), Ok(0));
                }
                undo(root.path(), false).unwrap();
                assert_eq!(picture(root.path()), before, "{first:?}, {done} steps, finished: {finish}");
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn permissions_come_back_and_stay() {
    use std::os::unix::fs::PermissionsExt;
    let root = root(&FILES);
    let options = root.path().join("etc/bind/named.conf.options");
    fs::set_permissions(&options, fs::Permissions::from_mode(0o640)).unwrap();
    let before = picture(root.path());
    set_up(root.path(), Kind::Bind, &target("127.0.0.1:9355", false)).unwrap();
    let mode = |path: &str| fs::metadata(root.path().join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode("etc/bind/named.conf.options"), 0o640);
    assert_eq!(mode("etc/bind/named.conf.dotp2p"), 0o644);
    assert_eq!(mode("var/lib/dotp2p/dns-setup/manifest.json"), 0o600, "it holds what others may not read");
    undo(root.path(), false).unwrap();
    assert_eq!(picture(root.path()), before);
}

#[cfg(unix)]
#[test]
fn links_are_not_written_through() {
    let outside = tempfile::tempdir().unwrap();
    let to = format!("-> {}", outside.path().display());
    let root =
        root(&[("/etc/unbound/unbound.conf", "server:\n"), ("/etc/systemd/resolved.conf", ""), ("/etc/resolver", &to)]);
    let file = outside.path().join("unbound.conf");
    fs::write(&file, "server:\n").unwrap();
    fs::remove_file(root.path().join("etc/unbound/unbound.conf")).unwrap();
    std::os::unix::fs::symlink(&file, root.path().join("etc/unbound/unbound.conf")).unwrap();
    let target = target("127.0.0.1:9355", false);
    let refused = |kind| set_up(root.path(), kind, &target).unwrap_err();
    // It leads to a path that is looked for within the root, where it is not.
    assert!(refused(Kind::Unbound).starts_with("there is no /etc/unbound/unbound.conf"));
    assert!(refused(Kind::Macos).starts_with("/etc/resolver/p2p is a link or lies beyond one"));
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[test]
fn a_manifest_that_is_not_ours() {
    let path = "/var/lib/dotp2p/dns-setup/manifest.json";
    let paths = r#"{"version":1,"kind":"bind","tld":"p2p","files":[{"path":"/etc/../x","before":null,"written":[]}],"folders":[]}"#;
    for text in ["", "{}", &paths.replace("1,", "2,").replace("/../", "/"), paths] {
        let error = Machine::open(root(&[(path, text)]).path()).unwrap_err();
        assert!(matches!(error, ManifestError::Form { .. }), "{error}");
    }
}

/// Whatever a crash leaves, a resolver that starts again finds what its configuration includes.
#[test]
fn what_is_included_is_made_first_and_removed_last() {
    let target = target("127.0.0.1:9355", false);
    for kind in [Kind::Unbound, Kind::Bind] {
        let root = root(&FILES);
        let mut machine = Machine::open(root.path()).unwrap();
        let plan = plan(kind, &machine.facts(false).unwrap(), &target).unwrap();
        let (made, changed, removed) = ((false, true), (true, true), (true, false));
        let kinds = |steps: &[Step]| {
            let mut kinds: Vec<_> = steps.iter().map(|it| (it.now.is_some(), it.then.is_some())).collect();
            kinds.dedup();
            kinds
        };
        let steps = machine.steps(&plan.changes).unwrap();
        assert_eq!(kinds(&steps), [made, changed], "{kind:?}");
        machine.apply(&plan, "p2p", &steps).unwrap();
        assert_eq!(kinds(&machine.steps(&[]).unwrap()), [changed, removed], "{kind:?}");
    }
}
