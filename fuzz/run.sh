#!/usr/bin/env bash
# Fuzzes every target, or those named, for so many seconds each, beginning from the committed corpus.
#
#   fuzz/run.sh 10                  ten seconds each
#   fuzz/run.sh 3600 records rpc    an hour of each
#
# JOBS targets run at a time (all cores). SANITIZER=none is faster and sees less. SEED=… repeats a run as far as one can
# be repeated; with JOBS=1 and the same binary that is nearly all of it. What is found new stays in fuzz/work, for the
# next run to begin with; fuzz/minimise.sh takes it into the corpus.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

CARGO_FUZZ=0.13.2
TOOLCHAIN=${TOOLCHAIN:-nightly}
SANITIZER=${SANITIZER:-address}
SEED=${SEED:-$(($(date +%s) % 1000000 + 1))}
JOBS=${JOBS:-$(nproc)}
tools=$PWD/target/ci-tools

if [[ ! ${1:-} =~ ^[0-9]+$ ]]; then
    echo "usage: fuzz/run.sh SECONDS_PER_TARGET [TARGET…]" >&2
    exit 2
fi
seconds=$1
shift

# The table of the README is where bounds are said: name and longest input.
declare -A longest
while IFS='|' read -r _ name len _; do
    name=${name//[\` ]/} len=${len//[, ]/}
    if [[ $len =~ ^[0-9]+$ ]]; then longest[$name]=$len; fi
done < <(grep '^| `' fuzz/README.md)
mapfile -t all < <(sed -n 's/^name = "\([a-z_]*\)"$/\1/p' fuzz/Cargo.toml)
targets=("${@:-${all[@]}}")
for target in "${targets[@]}"; do
    if [[ -z ${longest[$target]:-} ]]; then
        echo "no target of fuzz/README.md is called $target; there are: ${all[*]}" >&2
        exit 2
    fi
done

rustup toolchain list | grep -q "^$TOOLCHAIN" || rustup toolchain install "$TOOLCHAIN" --profile minimal
if [[ "$("$tools/bin/cargo-fuzz" --version 2>/dev/null)" != "cargo-fuzz $CARGO_FUZZ" ]]; then
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --root "$tools" --target-dir "$tools/build-fuzz" "cargo-fuzz@$CARGO_FUZZ"
    rm -rf "$tools/build-fuzz"
fi

cd fuzz
export PATH=$tools/bin:$PATH CARGO_TERM_PROGRESS_WHEN=never
began=$SECONDS
if (($# == 1)); then
    cargo "+$TOOLCHAIN" fuzz build --sanitizer "$SANITIZER" "$1"
else
    cargo "+$TOOLCHAIN" fuzz build --sanitizer "$SANITIZER"
fi
built=$((SECONDS - began))
host=$(rustc "+$TOOLCHAIN" -vV | sed -n 's/^host: //p')
programs=$PWD/target/$host/release

scratch=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch
export ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=16:allocator_may_return_null=0:abort_on_error=0

# One target: its log in the scratch folder, what it finds in work/, what breaks it in artifacts/.
one() {
    local target=$1
    mkdir -p "work/$target" "artifacts/$target"
    nice -n 15 "$programs/$target" "work/$target" "corpus/$target" \
        -max_total_time="$seconds" -max_len="${longest[$target]}" -timeout=20 -rss_limit_mb=512 -malloc_limit_mb=128 \
        -seed="$SEED" -print_final_stats=1 -artifact_prefix="artifacts/$target/" >"$scratch/$target.log" 2>&1
    echo $? >"$scratch/$target.code"
}

for target in "${targets[@]}"; do
    while (($(jobs -rp | wc -l) >= JOBS)); do wait -n || true; done
    (set +e && one "$target") &
done
wait

stat() { sed -n "s/^stat::$2: *//p" "$scratch/$1.log" | tail -1; }
field() { grep -aoE "$2: [0-9]+" "$scratch/$1.log" | tail -1 | cut -d' ' -f2; }

printf '\n%-14s %10s %8s %8s %8s %7s %6s  %s\n' target runs per_s edges features corpus MB costliest
runs=0 broken=()
for target in "${targets[@]}"; do
    done_=$(stat "$target" number_of_executed_units)
    runs=$((runs + ${done_:-0}))
    printf '%-14s %10s %8s %8s %8s %7s %6s  %s\n' "$target" "${done_:-?}" "$(stat "$target" average_exec_per_sec)" \
        "$(field "$target" cov)" "$(field "$target" ft)" "$(find "corpus/$target" -type f | wc -l)" "$(stat "$target" peak_rss_mb)" \
        "$(sed -n 's/^costliest: //p' "$scratch/$target.log" | tail -1)"
    if [[ "$(cat "$scratch/$target.code" 2>/dev/null)" != 0 ]]; then broken+=("$target"); fi
done

for target in "${broken[@]}"; do
    printf '\n==== %s\n' "$target"
    grep -aE 'panicked at|^[a-z].*limit is|SUMMARY|ALARM|ERROR: |Test unit written' -A2 "$scratch/$target.log" | cut -c1-1000 | head -30 || true
    input=$(sed -n 's/.*Test unit written to //p' "$scratch/$target.log" | tail -1)
    echo "again: cargo +$TOOLCHAIN fuzz run $target ${input:+fuzz/$input}"
done
if ((${#broken[@]} > 0)); then
    printf '\nfuzz: %d of %d targets failed: %s\n' "${#broken[@]}" "${#targets[@]}" "${broken[*]}" >&2
    exit 1
fi
printf '\nassurance: %d fuzz targets, %d s each, %d inputs, no crash, none over its memory or time; built in %d s, seed %d\n' \
    "${#targets[@]}" "$seconds" "$runs" "$built" "$SEED"
