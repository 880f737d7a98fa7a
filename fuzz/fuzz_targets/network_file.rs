//! The files of people who run a node: a private network (`lab.toml`) and the configuration (`dotp2p.toml`).

#![no_main]

use std::path::Path;

use dotp2p_chain::codec::decode_all;
use dotp2p_chain::params::{Params, Rules};
use dotp2p_fuzz::{Cost, check_error, private_file, text, within};
use libfuzzer_sys::fuzz_target;
use parity_scale_codec::{Decode, Encode};

// The node's own source, compiled again: the crate around it is large and not needed.
#[path = "../../src"]
#[allow(dead_code, reason = "somebody else's module")]
mod node {
    pub mod config;
}

use node::config::{Layer, Settings, network_file};

fuzz_target!(|data: &[u8]| {
    if let Some(text) = text(data) {
        within(text.len(), Cost { per_byte: 320, cpu_ms: 1_000 }, || run(&text));
    }
});

fn run(text: &str) {
    let path = private_file("network.toml", text.as_bytes());
    match network_file::read(&path) {
        Ok(params) => {
            assert_eq!(params.rules.check(), Ok(()));
            let again = Params::new(params.rules.clone(), params.deployment.clone()).expect("good rules");
            assert_eq!((again.chain_id, again.deployment.hash()), (params.chain_id, params.deployment.hash()));
            let bytes = params.rules.encode();
            assert_eq!(decode_all(&bytes, |input| Ok(Rules::decode(input)?)).as_ref(), Ok(&params.rules));
            assert!(Params::named(&params.deployment.name).is_none(), "no network takes a built-in one's folder");
            assert!(Path::new(&params.deployment.name).components().count() == 1, "its folder is inside the data's");
        }
        Err(error) => check_error(&error),
    }
    let Ok(layer) = toml::from_str::<Layer>(text) else { return };
    // Only built-in networks: a name could be any file of this machine.
    if layer.network.as_deref().is_some_and(|name| Params::named(name).is_none()) {
        return;
    }
    let path = private_file("dotp2p.toml", text.as_bytes());
    let flags = Layer { config: Some(path), data_dir: Some("/nonexistent".into()), ..Layer::default() };
    match Settings::resolve(flags) {
        Ok(settings) => {
            assert_eq!(settings.dir, Path::new("/nonexistent").join(&settings.params.deployment.name));
            assert_eq!(settings.json, layer.json.unwrap_or(false));
        }
        Err(error) => check_error(&error),
    }
}
