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

# Connecting blocks of updates, by stage
bench:
    cargo bench --bench connect

# What 10⁴, 10⁵ and so on names cost: time, memory, disk, proofs
bench-scale names="1000000":
    cargo bench --bench scale -- {{names}}

# The same blocks here and in Handshake's node
bench-hsd:
    benches/hsd/run.sh

# A throwaway network: mines, registers a name, resolves it
demo:
    cargo run --release -- demo

# dig, kdig, drill and Knot against a running node (installs nothing; see .ci/run for the packages)
system:
    cargo build
    tests/system/run.sh

# The same zone in Knot, NSD, BIND and ours, the same questions to all; needs the packages knot, nsd and bind9
compare questions="20000":
    cargo build
    python3 tests/system/compare.py {{questions}}

# kill -9 at random moments; SEED=… replays one
kill9 kills="100":
    cargo build
    python3 tests/system/kill9.py {{kills}}

# The rules against a second implementation of them; SEED=… replays a chain
naive ops="10000000":
    cargo run --release -p dotp2p-naive -- --ops {{ops}}

# Thieves against a model of the rules
model states="10000000":
    cargo run --release -p dotp2p-model -- --states {{states}}

# Twenty nodes, links that fail, liars; SEED=… replays one world and prints what happens
simulation seeds="10000":
    SEEDS={{seeds}} cargo test --workspace --test simulation -- --nocapture

# The simulations; writes docs/economics.md and its plots
economics:
    cargo run --release -p dotp2p-economics

# Changes each rule in every way that cargo-mutants knows, and sees whether a test notices
mutants:
    assurance/mutants/run.sh

# Every fuzz target for so many seconds; needs a nightly toolchain
fuzz seconds="60":
    fuzz/run.sh {{seconds}}

# Power cuts at every sync
powercut blocks="300":
    cargo build
    python3 tests/system/powercut/powercut.py {{blocks}}

# A small disk filled at random moments; needs root
disk-full points="200":
    cargo build
    python3 tests/system/disk_full.py {{points}}

# Bytes flipped and files cut short
damage cases="1000":
    cargo build
    python3 tests/system/damage.py {{cases}}

# Wrong clocks; needs the package faketime
clock *words:
    cargo build
    python3 tests/system/clock.py {{words}}

# All of it in full, written down in docs/assurance.md; hours. Names run just these: `just assurance naive model`
assurance *names:
    assurance/run.py {{names}}

# All that guards the main branch
ci:
    .ci/run
