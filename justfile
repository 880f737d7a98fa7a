# Each recipe is a plain line of cargo or of a script: `just -n NAME` shows it, and it works without just.

# What there is
default:
    @just --list

# Every test of every crate; needs nothing installed
test:
    cargo test

# Formatting and lints, as strict as CI
lint:
    cargo fmt --all --check
    cargo clippy --all-targets -- -D warnings

# The API's documentation
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

# Licences, sources and banned crates (`cargo install --locked cargo-deny`, or `.ci/run deny`, which brings its own)
deny:
    cargo deny check licenses bans sources

# The rules compile where there is no operating system
wasm:
    cargo check --target wasm32-unknown-unknown -p dotp2p-chain

# The vectors are what the independent program makes of docs/spec
vectors:
    python3 tests/vectors/gen/gen.py --check
    python3 tests/vectors/gen/check_spec.py

# Benchmarks
bench:
    cargo bench

# A throwaway network: mines, registers a name, resolves it
demo:
    cargo run --release -- demo

# dig, kdig, drill and Knot against a running node (installs nothing; see .ci/run for the packages)
system:
    cargo build
    tests/system/run.sh

# kill -9 at random moments; SEED=… replays one
kill9 kills="100":
    cargo build
    python3 tests/system/kill9.py {{kills}}

# All that guards the main branch
ci:
    .ci/run
