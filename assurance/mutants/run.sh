#!/usr/bin/env bash
# Every mutant of the rules against the tests of its crate; about an hour and a half of two idle cores, from scratch.
#
#   assurance/mutants/run.sh                    all files, the most important first
#   assurance/mutants/run.sh registry/src/price.rs chain/src/proof.rs
#
# Interrupted, it goes on where it was: what was caught before is not run again. FRESH=1 forgets all that, as it should be
# once before a release, because a test may have become weaker. Ends with the results in results.md and results.json.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=assurance/mutants/common.sh
source assurance/mutants/common.sh

files=(
    registry/src/{rules/ops,rules,price,ledger}.rs
    chain/src/{check,records,proof,header_tree,header_tree/entry,header_tree/walk}.rs
    registry/src/{state_tree,state_tree/bucket,state_tree/leaf,state,view,row}.rs
    chain/src/{entry,params,asert,pow,merkle,history,tx,op,block,name,codec,header,height,hash,key,amount}.rs
    chain/src/{batch,batch/buckets,batch/endomorphism,batch/point,batch/sums}.rs
)
if (($# > 0)); then files=("$@"); fi

install_mutants
if [[ -n ${FRESH:-} ]]; then rm -rf "$WORK/out"; fi
make_tree
for package in $(printf '%s\n' "${files[@]%%/*}" | sort -u); do
    (cd "$WORK/tree" && cargo test --quiet --package "dotp2p-$package" --lib)
done
for file in "${files[@]}"; do
    echo "== $file"
    # A configuration of its own: --file adds to the globs of the repository's, and --re lets struct fields through.
    printf 'examine_globs = ["%s"]\n' "$file" >"$WORK/file.toml"
    # Batches have tests of their own, which take longer than all others together.
    if [[ $file =~ ^chain/src/(batch|check) ]]; then SKIP=; else SKIP=batch::; fi
    mutants "dotp2p-${file%%/*}" "$WORK/out/${file//\//-}" --iterate --baseline=skip --config "$WORK/file.toml"
done
python3 assurance/mutants/report.py "$WORK/tree" "$WORK/out"
