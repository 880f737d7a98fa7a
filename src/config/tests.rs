use std::fs;

use dotp2p_chain::params::Rules;

use super::*;

/// The sample of `docs/how-to/private-network.md`.
fn sample() -> String {
    let page = include_str!("../../docs/how-to/private-network.md");
    page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap().to_owned()
}

fn read_network(text: &str) -> Result<Params, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lab.toml");
    fs::write(&path, text).unwrap();
    network_file::read(&path).map_err(|error| error.to_string().replace(path.to_str().unwrap(), "lab.toml"))
}

#[test]
fn the_sample_is_a_network() {
    let params = read_network(&sample()).unwrap();
    assert_eq!((params.deployment.name.as_str(), params.rules.subsidy), ("lab", 50 * 100_000_000));
    assert_eq!(params.rules.half_life, Some(600));
    assert_eq!(params.deployment.dns_confirmations, 2);
    let other = read_network(&sample().replace("# id =", "id =")).unwrap();
    assert_ne!(params.chain_id, other.chain_id);
}

#[test]
fn the_rules_of_main_written_out_are_main_but_for_the_id() {
    let text = [
        ("spacing = 15", "spacing = 60"),
        ("half_life = 600", "half_life = 7200"),
        ("\"1f00ffff\"", "\"1e00ffff\""),
        ("maturity = 20", "maturity = 100"),
        ("age_min = 4", "age_min = 10"),
    ];
    let text = text.iter().fold(sample(), |text, (from, to)| text.replace(from, to));
    let main = Params::main().rules;
    let lab = read_network(&text).unwrap().rules;
    assert_ne!(lab.id, main.id);
    assert_eq!(Rules { id: main.id, ..lab }, main);
}

#[test]
fn what_is_no_network() {
    let cases = [
        ("tld = \"p2p\"", "tld = \"p2p\"\ntypo = 1", "lab.toml, line 25: unknown field `typo`, expected one of "),
        ("age_min = 4 ", "", "lab.toml, line 3: missing field `age_min`"),
        ("age_min = 4 ", "age_min = 1440 ", "lab.toml: age_min is not less than age_max (B3)"),
        ("spacing = 15", "spacing = 0", "lab.toml: rule spacing is 0 (B3)"),
        ("spacing = 15", "spacing = -1", "lab.toml, line 4: invalid value: integer `-1`, expected u64"),
        (
            "name = \"lab\"",
            "name = \"main\"",
            "lab.toml: name: \"main\" is built in, a private network needs another name",
        ),
        (
            "name = \"lab\"",
            "name = \"../x\"",
            "lab.toml: name: it names a folder: 1 to 63 of a-z, 0-9 and inner hyphens",
        ),
        (
            "body_max = 262144",
            "body_max = 409601",
            "lab.toml: rules.body_max: peers pass on blocks of at most 409600 bytes",
        ),
        ("\"lp2p\"", "\"\"", "lab.toml: deployment.address_prefix: 1 to 16 of a-z and 0-9 are needed"),
        (
            "subsidy = 50",
            "subsidy = 12.5",
            "lab.toml, line 10: coins are a whole number, or decimal in quotes such as \"12.5\"",
        ),
        ("\"1f00ffff\"", "\"1f00\"", "lab.toml, line 6: \"1f00\" is not 8 hexadecimal digits"),
        ("tld = \"p2p\"", "tld = \"P2P\"", "lab.toml: tld is not one label of a-z, 0-9 and inner hyphens (B3)"),
    ];
    for (from, to, error) in cases {
        let text = sample().replacen(from, to, 1);
        assert_ne!(text, sample(), "{from}");
        let got = read_network(&text).unwrap_err();
        assert!(got.starts_with(error), "{got}");
    }
}

#[test]
fn flag_beats_file_beats_default() {
    let folder = tempfile::tempdir().unwrap();
    let file = "network = 'test'\nrpc = 'http://file'\n[node]\nmine = 3\ndns_listen = ['127.0.0.1:1']\n";
    fs::write(folder.path().join(FILE_NAME), file).unwrap();
    let flags = |rpc: Option<&str>| Layer {
        data_dir: Some(folder.path().to_owned()),
        rpc: rpc.map(str::to_owned),
        ..Layer::default()
    };
    let settings = Settings::resolve(flags(None)).unwrap();
    assert_eq!((settings.params.deployment.name.as_str(), settings.rpc.as_deref()), ("test", Some("http://file")));
    assert_eq!((settings.node.mine, settings.node.dns_listen), (Some(3), vec!["127.0.0.1:1".parse().unwrap()]));
    assert_eq!(settings.node.rpc_listen, "127.0.0.1:19354".parse().unwrap());
    assert_eq!(settings.dir, folder.path().join("test"));
    assert_eq!(Settings::resolve(flags(Some("http://flag"))).unwrap().rpc.as_deref(), Some("http://flag"));
}

#[test]
fn paths_in_the_file_are_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.toml");
    fs::write(&path, "network = 'lab.toml'\ndata_dir = 'data'\n").unwrap();
    fs::write(folder.path().join("lab.toml"), sample()).unwrap();
    let settings = Settings::resolve(Layer { config: Some(path), ..Layer::default() }).unwrap();
    assert_eq!(settings.dir, folder.path().join("data/lab"));
}

#[test]
fn what_is_no_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    let cases = [
        (
            "netwrk = 'test'",
            "line 1: unknown field `netwrk`, expected one of `network`, `data_dir`, `rpc`, `json`, `verbose`, `node`",
        ),
        ("\n[node]\nrpc_port = 1", "line 3: unknown field `rpc_port`, expected one of "),
        ("\n\nnetwork = 5", "line 3: invalid type: integer `5`, expected a string"),
        ("config = 'x'", "line 1: unknown field `config`, expected one of "),
        ("\"a\\u001bb\" = 'x'", "line 1: unknown field `a\u{fffd}b`, expected one of "),
        ("network", "line 1: "),
        ("[node]\nmine = []", "line 2: threads are a number, or \"auto\""),
        (
            "[node]\ndns_forward = 'quad9'",
            "line 2: upstream \"quad9\" has no IP address, such as 192.0.2.1, 192.0.2.1:53 or [2001:db8::1]:53",
        ),
        (
            "[node]\ndns_forward = []",
            "line 2: no upstream is named: write \"off\", \"system\", or upstreams such as \"9.9.9.9\"",
        ),
        ("[node]\ndns_forward = 1", "line 2: upstreams are \"off\", \"system\", or addresses in a list"),
        ("[node]\ndns_forward_allow = ['here']", "line 2: "),
        ("[node]\nrpc_listen = 'here'", "line 2: invalid socket address syntax"),
    ];
    for (text, error) in cases {
        fs::write(&path, text).unwrap();
        let flags = Layer { config: Some(path.clone()), data_dir: Some("/d".into()), ..Layer::default() };
        let got = Settings::resolve(flags).unwrap_err().to_string();
        assert!(got.starts_with(&format!("{}, {error}", path.display())), "{got}");
    }
}

/// `docs/how-to/configuration.md` names every option with its variable, and its sample says all of them.
#[test]
fn the_manual_is_complete() {
    use clap::CommandFactory;

    let page = include_str!("../../docs/how-to/configuration.md");
    let command = crate::cli::Cli::command();
    let node = command.find_subcommand("node").unwrap();
    for option in command.get_arguments().chain(node.get_arguments()) {
        let Some(variable) = option.get_env() else { continue };
        let row = format!("| `--{}` | `{}` |", option.get_long().unwrap(), variable.to_str().unwrap());
        assert!(page.contains(&row), "{row}");
    }
    let sample = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    fs::write(&path, sample).unwrap();
    let layer: Layer = read_toml(&path).unwrap();
    let Layer { network, data_dir, config: _, rpc, json, verbose: _, node } = layer;
    assert!(network.is_some() && data_dir.is_some() && rpc.is_some() && json.is_some());
    let NodeLayer {
        rpc_listen,
        dns_listen,
        p2p_listen,
        peer,
        no_discovery,
        mine,
        mine_to,
        reindex,
        dns_provisional_updates,
        dns_rate_limit,
        dns_rate_limit_exempt,
        dnssec,
        dnssec_algorithm,
        dns_forward,
        dns_forward_allow,
        dns_forward_ca,
        psk,
    } = node;
    assert!(rpc_listen.is_some() && dns_listen.is_some() && mine.is_some() && mine_to.is_some());
    assert!(p2p_listen.is_some() && peer.is_some() && no_discovery.is_some());
    assert!(
        reindex.is_some()
            && dns_provisional_updates.is_some()
            && dns_rate_limit.is_some()
            && dns_rate_limit_exempt.is_some()
            && psk.is_some()
    );
    assert!(dnssec.is_some() && dnssec_algorithm.is_some());
    assert!(dns_forward.is_some() && dns_forward_allow.is_some() && dns_forward_ca.is_some());
}

#[test]
fn threads() {
    assert_eq!("auto".parse(), Ok(Threads::Auto));
    assert_eq!("0".parse::<Threads>().unwrap().count(), None);
    assert_eq!("3".parse::<Threads>().unwrap().count(), Some(3));
    assert!(Threads::Auto.count().is_some_and(|count| count >= 1));
    assert!("-1".parse::<Threads>().is_err());
}

#[test]
fn the_pre_shared_key_is_read_for_a_network_that_needs_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("lab.toml"), sample().replace("psk = false", "psk = true")).unwrap();
    fs::write(path("open.toml"), sample()).unwrap();
    psk::write(&path("lab.psk"), &[7; 32]).unwrap();
    psk::write(&path("other.psk"), &[8; 32]).unwrap();
    let load = |network: &str, file: &str, flag: Option<PathBuf>| {
        fs::write(path(FILE_NAME), file).unwrap();
        let mut flags = Layer { data_dir: Some(folder.path().to_owned()), ..Layer::default() };
        flags.network = Some(path(network).to_str().unwrap().to_owned());
        flags.node.psk = flag;
        let mut settings = Settings::resolve(flags).unwrap();
        assert_eq!(settings.psk, None, "it is not read before the node wants it");
        let loaded =
            settings.load_psk().map_err(|error| error.to_string().replace(folder.path().to_str().unwrap(), "DIR"));
        loaded.map(|()| settings.psk.map(|key| key[0]))
    };
    assert_eq!(load("lab.toml", "", None), Ok(Some(7)));
    assert_eq!(load("lab.toml", "node.psk = 'other.psk'", None), Ok(Some(8)), "beside the file that says it");
    assert_eq!(load("lab.toml", "node.psk = 'other.psk'", Some(path("lab.psk"))), Ok(Some(7)));
    assert_eq!(load("open.toml", "", None), Ok(None));
    let unused =
        "--psk DIR/lab.psk: network lab uses no pre-shared key; leave it out, or give --network a file with psk = true";
    assert_eq!(load("open.toml", "", Some(path("lab.psk"))), Err(unused.to_owned()));
    fs::remove_file(path("lab.psk")).unwrap();
    let missing = "the network needs a pre-shared key and there is no DIR/lab.psk; get the file from who made the network \
                   and put it there, or say where it is with --psk";
    assert_eq!(load("lab.toml", "", None), Err(missing.to_owned()));
}
