#!/usr/bin/env bash
# Mutants of the changed lines only: a survivor without a reason in reasons.json fails.
#
#   assurance/mutants/changed.sh [BASE]     what changed since BASE and this tree parted (HEAD~1), uncommitted included
#
# SECONDS_MAX=… bounds the time (480); where it does not suffice, it says so, and other mutants are taken next time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=assurance/mutants/common.sh
source assurance/mutants/common.sh
WORK=$WORK/changed

base=$(git merge-base "${1:-HEAD~1}" HEAD 2>/dev/null) || base=
if [[ -z $base ]]; then
    echo "assurance: mutants of changed lines: none, there is no ${1:-HEAD~1} to compare with"
    exit 0
fi
mkdir -p "$WORK"
git diff "$base" -- chain/src registry/src >"$WORK/diff"
if [[ ! -s $WORK/diff ]]; then
    echo "assurance: mutants of changed lines: none, chain/src and registry/src are as in ${base:0:12}"
    exit 0
fi

install_mutants
make_tree
listed() { cargo mutants --dir "$WORK/tree" --in-diff "$WORK/diff" --list "$@" | wc -l; }
count=$(listed)
if ((count == 0)); then
    echo "assurance: mutants of changed lines: none in the changes since ${base:0:12}"
    exit 0
fi
echo "$count mutants in the changes since ${base:0:12}"
rm -rf "$WORK/out"
end=$((SECONDS + ${SECONDS_MAX:-480}))
export -f mutants
export WORK
for package in dotp2p-chain dotp2p-registry; do
    if (($(listed --package "$package") == 0)); then continue; fi
    (cd "$WORK/tree" && cargo test --quiet --package "$package" --lib >"$WORK/$package.log" 2>&1) || {
        cat "$WORK/$package.log"
        exit 1
    }
    left=$((end - SECONDS))
    if ((left <= 0)); then continue; fi
    code=0
    timeout --signal=INT "$left" bash -c 'mutants "$@"' bash "$package" "$WORK/out/$package" \
        --in-diff "$WORK/diff" --baseline=skip --shuffle || code=$?
    # 124: out of time. Interrupted, cargo-mutants puts the file back as it was.
    if ((code != 0 && code != 124)); then exit "$code"; fi
done
python3 assurance/mutants/report.py --changed "$count" "$WORK/tree" "$WORK/out"
