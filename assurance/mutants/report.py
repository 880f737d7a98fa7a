#!/usr/bin/env python3
"""What became of the mutants, from the folders that cargo-mutants leaves.

    report.py TREE OUT…                   a run of all files or some: writes results.md and results.json beside this file
    report.py --changed COUNT TREE OUT    a run over COUNT mutants of changed lines: writes nothing

Of files that a run left out, the results before stay, where the file is as it was then; else they are "not run".

A mutant that survives needs its reason in reasons.json: there it is known by what is replaced where and by the text of its
line, so that lines may move but a changed line is judged anew. Fails where a survivor has no reason, where a reason has
no survivor any more, or where less than 95 % are killed.
"""

import datetime
import hashlib
import json
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
LEAST = 0.95
OUTCOMES = ["caught", "timeout", "missed", "unviable"]


def outcomes(outs: list[Path]) -> dict[str, str]:
    """Mutant's name to outcome; what an earlier run caught, or could not build, is not run again."""
    found = {}
    for folder in (folder for out in outs for folder in out.glob("*/mutants.out")):
        for outcome in OUTCOMES:
            for prefix in ["previously_", ""]:
                path = folder / f"{prefix}{outcome}.txt"
                if path.exists():
                    found |= {name: outcome for name in path.read_text().splitlines()}
    return found


def checksums(tree: Path, mutants: list["Mutant"]) -> dict[str, str]:
    """The mutated files as they are."""
    files = sorted({mutant.file for mutant in mutants})
    return {file: hashlib.sha256((tree / file).read_bytes()).hexdigest()[:16] for file in files}


def earlier(files: dict[str, str]) -> dict[str, str]:
    """Mutant's name to outcome, from the results that are there, of files that have not changed since."""
    if not RESULTS.exists():
        return {}
    results = json.loads(RESULTS.read_text())
    same = {file for file, checksum in results.get("files", {}).items() if files.get(file) == checksum}
    return {f"{file}:{name}": outcome for outcome in OUTCOMES for file, names in results[outcome].items() if file in same for name in names}


class Mutant:
    """One of `cargo mutants --list --json`."""

    def __init__(self, tree: Path, listed: dict):
        self.name = listed["name"]
        self.file = listed["file"]
        self.line = listed["span"]["start"]["line"]
        # Without line and column.
        self.what = self.name.split(": ", 1)[1]
        self.text = (tree / self.file).read_text().splitlines()[self.line - 1].strip()

    def reason(self, reasons: list[dict]) -> dict | None:
        def fits(reason: dict) -> bool:
            return (reason["file"], reason["mutant"], reason["line"]) == (self.file, self.what, self.text)

        return next(filter(fits, reasons), None)


def all_mutants(tree: Path) -> list[Mutant]:
    listed = subprocess.run(["cargo", "mutants", "--dir", tree, "--list", "--json"], check=True, capture_output=True)
    return [Mutant(tree, one) for one in json.loads(listed.stdout)]


def commit() -> str:
    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", HERE, *words], check=True, capture_output=True, text=True).stdout.strip()

    changed = git("status", "--porcelain", "--", ":/chain", ":/registry")
    return git("rev-parse", "--short=12", "HEAD") + (" with uncommitted changes" if changed else "")


def percent(killed: int, viable: int) -> str:
    return f"{100 * killed / viable:.1f} %" if viable else "–"


def table(mutants: list[Mutant], found: dict[str, str]) -> list[str]:
    """A line a file, and the sum."""
    by_file = defaultdict(Counter)
    for mutant in mutants:
        by_file[mutant.file][found.get(mutant.name, "not run")] += 1
    lines = ["| file | mutants | unviable | killed | of them by time | survive | not run | killed of viable |"]
    lines.append("|---|--:|--:|--:|--:|--:|--:|--:|")
    total = Counter()
    for count in by_file.values():
        total += count
    for file, count in [*sorted(by_file.items()), ("**all**", total)]:
        killed = count["caught"] + count["timeout"]
        viable = killed + count["missed"]
        figures = [sum(count.values()), count["unviable"], killed, count["timeout"], count["missed"], count["not run"]]
        lines.append(f"| {file} | {' | '.join(f'{figure:,}' for figure in figures)} | {percent(killed, viable)} |")
    return lines


def write_results(
    mutants: list[Mutant], files: dict[str, str], found: dict[str, str], survivors: list[tuple[Mutant, dict | None]]
) -> None:
    where = f"Commit {commit()}, {datetime.date.today()}, {tool()}."
    lines = ["# Mutants: results", "", "Made by `report.py`; what it means is in [README.md](README.md).", "", where, ""]
    lines += table(mutants, found)
    lines += ["", "## Survivors", ""]
    lines += [
        f"- `{mutant.name}`: {reason['reason'] if reason else '**no reason**'}" for mutant, reason in survivors
    ] or ["None."]
    (HERE / "results.md").write_text("\n".join(lines) + "\n")
    names = {outcome: defaultdict(list) for outcome in [*OUTCOMES, "not run"]}
    for mutant in mutants:
        names[found.get(mutant.name, "not run")][mutant.file].append(mutant.name.removeprefix(mutant.file + ":"))
    RESULTS.write_text(json.dumps({"run": where, "files": files, **names}, indent=1, ensure_ascii=False) + "\n")


def tool() -> str:
    return subprocess.run(["cargo", "mutants", "--version"], check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    words = sys.argv[1:]
    changed = int(words[1]) if words[0] == "--changed" else None
    tree, *outs = map(Path, words[2:] if changed is not None else words)
    reasons = json.loads((HERE / "reasons.json").read_text())
    mutants = all_mutants(tree)
    files = checksums(tree, mutants)
    found = outcomes(outs)
    if changed is None:
        found = earlier(files) | found
    survivors = [(mutant, mutant.reason(reasons)) for mutant in mutants if found.get(mutant.name) == "missed"]
    count = Counter(found[mutant.name] for mutant in mutants if mutant.name in found)
    killed = count["caught"] + count["timeout"]
    viable = killed + count["missed"]
    if changed is None:
        write_results(mutants, files, found, survivors)

    for mutant, reason in survivors:
        print(f"survives: {mutant.name}: {reason['reason'] if reason else 'NO REASON'}", file=sys.stderr)
    used = [reason for _, reason in survivors if reason]
    left = (changed or len(mutants)) - sum(count.values())
    # Only a whole run tells that a reason is not needed any more.
    needless = [reason for reason in reasons if reason not in used] if changed is None and left == 0 else []
    for reason in needless:
        print(f"needless: {reason['file']}: {reason['mutant']}", file=sys.stderr)
    faults = []
    if len(used) < len(survivors):
        faults.append(f"{len(survivors) - len(used)} survivors without a reason")
    if needless:
        faults.append(f"{len(needless)} reasons without a survivor")
    if changed is None and killed < LEAST * viable:
        faults.append(f"less than {LEAST:.0%} killed")
    if changed is None and left:
        faults.append(f"{left} mutants not run: start it again, it goes on where it was")
    figures = f"{killed:,} of {viable:,} viable mutants killed ({percent(killed, viable)})"
    figures += f", {len(survivors)} survive" + (", each with its reason" if survivors and not faults else "")
    if changed is not None:
        figures = f"mutants of changed lines: {figures}" + (f", cut short: {left} of {changed} not run" if left else "")
    if faults:
        sys.exit(f"mutants: {figures}; " + "; ".join(faults))
    print(f"assurance: {figures}")


if __name__ == "__main__":
    main()
