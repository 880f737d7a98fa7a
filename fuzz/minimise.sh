#!/usr/bin/env bash
# Makes the committed corpus small again: seeds (seed.py), the corpus and what runs have found (work/), of which only what
# reaches something new is kept: of that the 60 files, and 100 KB, a target that add most.
#
#   fuzz/minimise.sh [TARGET…]      after a run of fuzz/run.sh, which builds the programs
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

FILES=60
BYTES=100000
host=$(rustc +nightly -vV | sed -n 's/^host: //p')
scratch=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch ASAN_OPTIONS=detect_leaks=0
./seed.py "$scratch/seeds"
mapfile -t all < <(sed -n 's/^name = "\([a-z_]*\)"$/\1/p' Cargo.toml)
for target in "${@:-${all[@]}}"; do
    mkdir -p "corpus/$target" "work/$target" "artifacts/$target" "$scratch/seeds/$target" "$scratch/$target"
    "target/$host/release/$target" -set_cover_merge=1 -timeout=20 -rss_limit_mb=1024 -artifact_prefix="artifacts/$target/" "$scratch/$target" \
        "$scratch/seeds/$target" "corpus/$target" "work/$target" >"$scratch/$target.log" 2>&1 ||
        { tail -5 "$scratch/$target.log" >&2 && exit 1; }
    rm -rf "corpus/$target"
    mkdir "corpus/$target"
    # Written in the order of what each adds to those before it.
    python3 - "$scratch/$target" "corpus/$target" "$FILES" "$BYTES" <<'PYTHON'
import pathlib, shutil, sys

source, target, files, size = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
for path in sorted(source.iterdir(), key=lambda path: (path.stat().st_mtime_ns, path.stat().st_ino)):
    if files and path.stat().st_size <= size:
        shutil.copy(path, target / path.name[:16])
        files, size = files - 1, size - path.stat().st_size
PYTHON
    printf '%-14s %5d reach something, %3d kept, %6d bytes\n' "$target" "$(find "$scratch/$target" -type f | wc -l)" \
        "$(find "corpus/$target" -type f | wc -l)" "$(cat "corpus/$target"/* | wc -c)"
done
