#!/usr/bin/env python3
"""One world, told to both: a scenario of the simulator, an hour in a minute.

    world.py NAME DEVICES FOLDER

writes into FOLDER scenario.json (for firebreak-sim), fleet.json (for firebreak-fleet) and
play.json (the policy, for either). The defect is that of canary/sim/scenarios/NAME.json, the
policy the standard one; a minute of theirs is a second here, also a tick."""
import json
import math
import os
import sys

SOURCE = os.environ.get("FIREBREAK_SOURCE") or os.path.join(os.path.dirname(__file__), "../..")
FASTER = 60  # an hour in a minute
MINUTE_MS = 60000 // FASTER
LIMIT_S = {"S6": 900, "S7b": 900}
LIMIT_OTHERS_S = 360
OUTAGE_AT_MIN = 45
BAD = "2.0"

# Ordinary life as in the standard scenarios, but with the goodbyes of an average hour throughout:
# an hour of the day passes in a minute of a play that begins at no particular time.
LIFE = {
    "crashes_h": 1e-4, "consumer_share": 0.3, "soak_min": 10, "report_min": 2, "preflight_share": 0,
    "silences_h": 0.003, "long_silence_share": 0.7,
    "reboots_h": math.log(2) / 24, "reboot_5min": 0.2, "reboot_15min": 0.03,
    "goodbyes_h": 0.02, "goodbyes_day_h": 0, "goodbyes_evening_h": 0, "wakes_h": 1 / 6,
    "asleep_min_share": 0.12, "asleep_max_share": 0.12, "staged_min": 6,
}
COHORTS = [  # of the standard scenarios; a platform's name does not tell x86_64
    ("windows-10.0.19045", .24), ("windows-10.0.22631", .18), ("windows-10.0.26100", .12),
    ("windows-10.0.20348", .09), ("windows-10.0.17763", .06), ("windows-10.0.14393", .02),
    ("windows-10.0.22621", .03), ("windows-10.0.26100-aarch64", .01),
    ("linux-6.1", .06), ("linux-5.15", .04), ("linux-5.14", .02), ("linux-6.8-aarch64", .01),
    ("macos-14-aarch64", .05), ("macos-15-aarch64", .04), ("macos-13", .02), ("macos-12-aarch64", .01),
]
BEHAVIOURS = {"none": "healthy", "load": "crash-at-load", "reboot": "crash-at-reboot"}


def read(*path):
    with open(os.path.join(SOURCE, *path)) as f:
        return json.load(f)


def write(folder, name, value):
    with open(os.path.join(folder, name), "w") as f:
        json.dump(value, f, indent=1)


def ppm(share):
    return round(share * 1e6)


def faster(section):
    """Durations shorter, rates higher."""
    unit = {"_min": 1 / FASTER, "_h": FASTER}
    return {k: v * next((f for end, f in unit.items() if k.endswith(end)), 1)
            if isinstance(v, (int, float)) and not k.startswith("reboot_") else v
            for k, v in section.items()}


def hits(defect, cohort):
    """As the simulator reads 'cohorts': all, an OS family, a build."""
    names = [n.removesuffix("-x86_64") for n in defect.get("cohorts", [])]
    return "all" in names or cohort.split("-")[0] in names or cohort in names


def sizes(devices):
    """By largest remainder, as the simulator does."""
    want = [(share * devices, name) for name, share in COHORTS]
    got = {name: math.floor(w + 1e-9) for w, name in want}
    rest = sorted(want, key=lambda w: math.floor(w[0] + 1e-9) - w[0])
    for _, name in rest[:devices - sum(got.values())]:
        got[name] += 1
    return got


def policy():
    p = read("canary/policies/standard.json")
    for part in [p] + p["rings"]:
        for key in list(part):
            if key.endswith("_s") and key not in ("budget_s", "max_admissions_s"):
                part[key] /= FASTER
    p.update(name="play", description="The standard policy, an hour in a minute, one length of ticks.",
             fast_tick_s=p["tick_s"], growth_fast=p["growth"])
    return p


def scenario(name, devices, of):
    defect = of.get("defect", {"kind": "none"})
    s = {"name": name, "fleet": devices, "groups": 1, "limit_h": LIMIT_S.get(name, LIMIT_OTHERS_S) / 3600,
         "cohorts": [{"name": c, "os": c.split("-")[0], "share": share} for c, share in COHORTS],
         "life": faster(LIFE)}
    if defect["kind"] != "none":
        s["defect"] = faster({**defect, "recover_min": 6, "recover_max_min": 10}) | {
            "cohorts": [n.removesuffix("-x86_64") for n in defect["cohorts"]]}
    if "world" in of:
        s["world"] = faster({**of["world"], "at_min": OUTAGE_AT_MIN, "at_max_min": OUTAGE_AT_MIN})
    return s


def fleet(name, devices, of):
    defect = of.get("defect", {"kind": "none"})
    soak_ms = round(LIFE["soak_min"] * MINUTE_MS)
    f = {"seed": 1, "tick_ms": MINUTE_MS, "soak_ms": soak_ms, "connections": 1024,
         "life": {"minute_ms": MINUTE_MS, "asleep_ppm": ppm(LIFE["asleep_min_share"]),
                  "goodbyes_ppm_h": ppm(LIFE["goodbyes_h"]), "wakes_ppm_h": ppm(LIFE["wakes_h"]),
                  "silences_ppm_h": ppm(LIFE["silences_h"]), "long_silence_ppm": ppm(LIFE["long_silence_share"]),
                  "reboots_ppm_h": ppm(LIFE["reboots_h"]), "reboot_5min_ppm": ppm(LIFE["reboot_5min"]),
                  "reboot_15min_ppm": ppm(LIFE["reboot_15min"]), "crashes_ppm_h": ppm(LIFE["crashes_h"]),
                  "consumer_ppm": ppm(LIFE["consumer_share"]), "report_ms": LIFE["report_min"] * MINUTE_MS,
                  "staged_ms": LIFE["staged_min"] * MINUTE_MS, "prestaged": True},
         "groups": []}
    if "world" in of:
        f["outage"] = {"on_release": BAD, "after_ms": OUTAGE_AT_MIN * MINUTE_MS,
                       "for_ms": of["world"]["outage_min"] * MINUTE_MS}
    for cohort, count in sizes(devices).items():
        g = {"count": count, "cohort": cohort, "behaviour": "healthy"}
        if count and hits(defect, cohort):
            g.update(behaviour=BEHAVIOURS[defect["kind"]], on_release=BAD, share_ppm=ppm(defect["share"]),
                     recover_share_ppm=ppm(defect.get("recovers", 0)), recover_ticks=6, recover_max_ticks=10)
        if count:
            f["groups"].append(g)
    return f


def main():
    name, devices, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    of = read("canary/sim/scenarios", name + ".json")
    write(folder, "scenario.json", scenario(name, devices, of))
    write(folder, "fleet.json", fleet(name, devices, of))
    write(folder, "play.json", policy())


if __name__ == "__main__":
    main()
