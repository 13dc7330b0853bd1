#!/usr/bin/env python3
"""compare.py SEEDS FOLDER...: plays (tests/play/one) beside the simulator's range for the same world.

The simulator plays each scenario with SEEDS seeds. One play is one more draw from the same world, so it
agrees where what came of it (halted, complete, a person asked, none of these) came of at least 1 % of the
seeds, and its figures lie between the smallest and the largest of the seeds that ended alike. What the
simulator does not have is the kill: a restart begins the unresolved trials anew, once, in both arms. So
RESTART_TICKS more are allowed until a halt or the end, and one round of probes more is exposed meanwhile.
Nor does it have check-ins that take time: there every permit of a tick is taken in it. Here a tick is a
second, and where the answer takes a tenth of that some devices miss theirs; a step of the growth waits for
the last of them, a tick longer. A rollout to everybody has about STEPS steps."""
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

RESTART_TICKS = 8   # 5 until a first check-in is given up, anew; 3 for everybody to be back
STEPS = 15          # 6 in the ring of 1 %, 4 in that of 10 %, 5 in that of 95 %
RESTART_PROBES = 4  # n0: what is tried once more where nobody can acknowledge
MIN_SHARE = 0.01
TICKS_MIN = 60      # in a simulated minute, which a play takes for an hour


def load(*path):
    with open(os.path.join(*path)) as f:
        return json.load(f)


def simulate(folder, seed):
    program = os.path.join(os.environ["FIREBREAK_BIN"], "firebreak-sim")
    run = subprocess.run(
        [program, "run", "--scenario", os.path.join(folder, "scenario.json"), "--policy",
         os.path.join(folder, "play.json"), "--seeds", "1", "--seed", str(seed), "--threads", "1", "--json"],
        check=True, capture_output=True)
    r = json.loads(run.stdout)
    ticks = lambda spread: None if spread["p50"] is None else round(spread["p50"] * TICKS_MIN)
    return {"halt_ticks": ticks(r["halt_min"]), "complete_ticks": ticks(r["complete_min"]),
            "exposed_at_halt": r["exposed_at_halt"]["p50"], "exposed": r["exposed"]["p50"], "harm": r["harm"]["p50"],
            "asked": r["asked"] > 0, "paused": r["paused"] > 0, "false_halts": r["false_halts"]}


def outcome(r):
    if r["halt_ticks"] is not None:
        return "halted"
    if r["complete_ticks"] is not None:
        return "complete"
    return "asked" if r["asked"] else "stands"


def hit_cohorts(scenario):
    defect = scenario.get("defect", {"cohorts": []})
    return {c["name"] for c in scenario["cohorts"]
            if {"all", c["os"], c["name"]} & set(defect["cohorts"])}


def wrong_scope(scenario, real):
    """Halted although the defect does not hit it; three bad builds may stop everything."""
    hit, halted = hit_cohorts(scenario), set(real["halted"])
    everything = len(halted) == len(scenario["cohorts"]) and len(hit) >= 3
    return set() if everything else halted - hit


FIGURES = (  # name, key, what the restart may add
    ("ticks to halt", "halt_ticks", RESTART_TICKS),
    ("exposed at halt", "exposed_at_halt", RESTART_PROBES),
    ("ticks to 100 %", "complete_ticks", RESTART_TICKS + STEPS),
    ("exposed", "exposed", RESTART_PROBES),
    ("crashed", "harm", RESTART_PROBES),
)


def rows_of(folder, seeds):
    scenario, real = load(folder, "scenario.json"), load(folder, "real.json")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = list(pool.map(lambda seed: simulate(folder, seed), range(1, seeds + 1)))
    ended = outcome(real)
    alike = [r for r in runs if outcome(r) == ended]
    kinds = sorted({outcome(r) for r in runs})
    shares = ", ".join(f"{k} {sum(outcome(r) == k for r in runs) * 100 / seeds:.0f} %" for k in kinds)
    yield "ended", ended, shares, len(alike) >= MIN_SHARE * seeds
    for what, key, more in FIGURES:
        if real[key] is None or not alike:
            continue
        low, high = min(r[key] for r in alike), max(r[key] for r in alike)
        middle = sorted(r[key] for r in alike)[len(alike) // 2]
        yield what, f"{real[key]:g}", f"{low:g} .. {middle:g} .. {high:g}", low <= real[key] <= high + more
    bad = wrong_scope(scenario, real)
    yield "halted wrongly", ", ".join(sorted(bad)) or "none", "none", not bad
    if any(r["paused"] for r in runs):
        yield "paused", "yes" if real["paused"] else "no", "yes", real["paused"]
    yield "ticks that gave permits in a pause", str(real["admitted_paused"]), "0", real["admitted_paused"] == 0
    yield "ticks that replay differently", str(real["replay_differs"]), "0", real["replay_differs"] == 0


def main():
    seeds, folders = int(sys.argv[1]), sys.argv[2:]
    differ = 0
    print(f"{'':6} {'':36} {'real':>12}   {'simulated, smallest .. median .. largest of those that ended so':64}")
    for folder in folders:
        real = load(folder, "real.json")
        for what, got, want, agrees in rows_of(folder, seeds):
            print(f"{real['scenario']:6} {what:36} {got:>12}   {want:64} {'agrees' if agrees else 'DIFFERS'}")
            differ += not agrees
        print(f"{'':6} killed {real['killed_s']} s in; {real['requests_s']} check-ins/s; a tick took"
              f" {real['tick_ms']['mean']} ms, the longest {real['tick_ms']['longest']}; {real['says']}\n")
    print(f"{differ} figures differ" if differ else "all agree")
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
