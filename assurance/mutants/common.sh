# What the full run and the run over changed lines share. Sourced from the repository's root.
# shellcheck shell=bash
# WORK: where the mutated tree and the outcomes are kept. MUTANTS_TARGET: cargo's target folder for it; the repository's
# own by default, so that no dependency is built twice.

CARGO_MUTANTS=27.1.0
# CPU seconds that the tests of one mutant may use, ten times what they need; whoever pauses them costs none.
CPU_S=30
# Bytes that they may ask for.
MEMORY_B=$((4 << 30))

root=$PWD
WORK=${WORK:-$root/target/mutants}
tools=$root/target/ci-tools

# Incremental, because a mutant changes one function; neither optimised nor with debug information, because it is built
# more often than it is run. Few random cases, nothing shrunk: a test that fails has done its work.
export CARGO_INCREMENTAL=1 CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_OPT_LEVEL=0 CARGO_TERM_COLOR=never
export CARGO_TARGET_DIR=${MUTANTS_TARGET:-$root/target}
export PROPTEST_CASES=${PROPTEST_CASES:-16} PROPTEST_MAX_SHRINK_ITERS=0 INSTA_UPDATE=no RUST_BACKTRACE=0
host=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
declare -x "CARGO_TARGET_${host}_RUNNER=prlimit --cpu=$CPU_S --as=$MEMORY_B"

# There is no package of it for Debian; built once, in debug because it has little to do.
install_mutants() {
    if [[ "$("$tools/bin/cargo-mutants" --version 2>/dev/null)" != "cargo-mutants $CARGO_MUTANTS" ]]; then
        CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --root "$tools" --target-dir "$tools/build" \
            "cargo-mutants@$CARGO_MUTANTS"
        rm -rf "$tools/build"
    fi
    PATH=$tools/bin:$PATH
}

make_tree() {
    mkdir -p "$WORK"
    python3 assurance/mutants/tree.py "$root" "$WORK/tree"
}

# mutants PACKAGE OUTPUT OPTION…: one package's mutants, one after the other, in the tree itself. SKIP: tests to leave out.
mutants() {
    local package=$1 output=$2
    # Long runs of what shorter ones assert as well, and the store, which decides nothing.
    local skipped=(--skip a_long_chain_sees_everything --skip sums_are_those_of_plain_multiplication
        --skip every_truncation_is_refused --skip store::)
    shift 2
    if [[ -n ${SKIP:-} ]]; then skipped+=(--skip "$SKIP"); fi
    mkdir -p "$output"
    # 2: some survived, 3: some took too long. The report judges.
    cargo mutants --dir "$WORK/tree" --in-place --package "$package" --output "$output" --no-times --colors never \
        --timeout 600 --build-timeout 900 "$@" -- --lib -- "${skipped[@]}" || (($? == 2 || $? == 3))
}
