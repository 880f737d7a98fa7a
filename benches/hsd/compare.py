"""Reads the lines that run.sh collected and prints both nodes beside each other; exits with 1 where a goal is missed."""

import json
import statistics
import sys

GOALS = {"600x1": 20, "6x100": 100}


def main(path):
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    ours = [line for line in lines if "way" not in line]
    ways = {}
    for line in lines:
        if "way" in line:
            workers = "with workers" if line["workers"] else "one thread"
            ways.setdefault(f"hsd {line['way']}, {workers}", []).append(line)
    backend = next(line["backend"] for line in lines if "way" in line)
    print(f"updates a second, blocks of 600, medians of {len(ours)} rounds; hsd on {backend}")
    print(f"{'':34}{'600 x 1':>10}{'6 x 100':>10}")

    def row(title, figures):
        print(f"{title:34}{figures['600x1']:>10,.0f}{figures['6x100']:>10,.0f}")

    def median(rounds, figure):
        return {shape: statistics.median(figure(line[shape]) for line in rounds) for shape in GOALS}

    imported = median(ours, lambda shape: shape["import"])
    single = median(ours, lambda shape: shape["median"])
    row("dotp2p, a run of blocks", imported)
    row("dotp2p, each block durable at once", single)
    best = dict.fromkeys(GOALS, 0)
    for title, rounds in ways.items():
        # Its better side: the median block, or all of them with the commits of its name tree.
        figures = median(rounds, lambda shape: max(shape["median"], shape["all"]))
        row(title, figures)
        best = {shape: max(best[shape], figures[shape]) for shape in GOALS}
    ratios = {shape: imported[shape] / best[shape] for shape in GOALS}
    print(f"{'times hsd, a run of blocks':34}{ratios['600x1']:>10.1f}{ratios['6x100']:>10.1f}")
    print(f"{'times hsd, each durable at once':34}" + "".join(f"{single[s] / best[s]:>10.1f}" for s in GOALS))
    missed = [f"{shape}: {ratios[shape]:.1f} times hsd, the goal is {goal}" for shape, goal in GOALS.items() if ratios[shape] < goal]
    for what in missed:
        print(f"MISSED: {what}")
    print(
        f"assurance: updates connected a second, dotp2p and hsd: {imported['600x1']:,.0f} and {best['600x1']:,.0f} as 600 x 1 "
        f"({ratios['600x1']:.1f} times), {imported['6x100']:,.0f} and {best['6x100']:,.0f} as 6 x 100 ({ratios['6x100']:.1f} times)"
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
