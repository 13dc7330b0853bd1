#!/usr/bin/env python3
"""real.py NAME FOLDER DATABASE KILLED_S SPENT_MS REQUESTS: what came of a play, into FOLDER/real.json.

Figures of the rollout are the server's record; who was harmed is the fleet's account. Every permit
that a device holds must be an exposure that the server has on record."""
import json
import os
import sqlite3
import sys


def lines(*path):
    with open(os.path.join(*path)) as f:
        return [json.loads(line) for line in f]


def load(*path):
    with open(os.path.join(*path)) as f:
        return json.load(f)


def check_exposures(result, database):
    recorded = set(sqlite3.connect(database).execute("select device, digest from exposures"))
    unknown = {(g["device"], g["digest"]) for g in result["grants"]} - recorded
    if unknown:
        sys.exit(f"{len(unknown)} permits are held that the server does not know of: {sorted(unknown)[:3]}")


def admitted(facts):
    return sum(c.get("admitted", 0) for c in facts["cohorts"].values())


def permits(decided):
    return decided["admit_fleet"] + decided["admit_canary"] + sum(decided["admit"].values())


def main():
    name, folder, database = sys.argv[1:4]
    killed_s, spent_ms, requests = map(int, sys.argv[4:7])
    record, replayed = lines(folder, "record.jsonl"), lines(folder, "replay.jsonl")
    result, status = load(folder, "fleet-result.json"), load(folder, "status.json")
    facts = {line["tick"]: line["facts"] for line in record if "facts" in line}
    decided = [line["decided"] for line in record if "decided" in line]
    changes, final = [r for r in replayed if "final" not in r], replayed[-1]["final"]
    halts = [c for c in changes if c["halted"]]
    asks = [c for c in changes if c["verdict"] == "ask"]
    times = [facts[t]["now_ms"] for t in sorted(facts)]
    lengths = [b - a for a, b in zip(times, times[1:])]
    check_exposures(result, database)
    real = {
        "scenario": name, "state": status["state"], "killed_s": killed_s,
        "halted": sorted({c for h in halts for c in h["halted"]}),
        "halt_ticks": halts[0]["tick"] + 1 if halts else None,
        "metric": halts[0]["metric"] if halts else None,
        "exposed_at_halt": admitted(facts[halts[0]["tick"]]) if halts else None,
        "exposed": status["counts"]["admitted"],
        "harm": result["by_release"]["2.0"]["killed"],
        "complete_ticks": final["ticks"] if status["state"] == "complete" else None,
        "asked": bool(asks), "paused": any(c["verdict"] == "pause" for c in changes),
        "admitted_paused": sum(permits(d) > 0 for d in decided if d["verdict"] == "pause"),
        "replay_differs": final["recorded"]["differ"],
        "requests_s": round(requests * 1000 / spent_ms), "errors": result["errors"],
        "tick_ms": {"mean": round(sum(lengths) / len(lengths)), "longest": max(lengths)},
        "says": (halts[0]["reason"] if halts else status["stands"]),
    }
    with open(os.path.join(folder, "real.json"), "w") as f:
        json.dump(real, f, indent=1)
    print(json.dumps(real))


if __name__ == "__main__":
    main()
