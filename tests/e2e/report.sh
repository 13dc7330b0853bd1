#!/bin/bash
# Pictures of simulated rollouts: well-formed whatever a scenario is called, the same bytes for the same seed, written whole
# or not at all; and the one in docs/pictures is what the simulator draws today.
. "$(dirname "$0")/lib.bash"
sim=$FIREBREAK_BIN/firebreak-sim
picture=docs/pictures/s2.svg

# well_formed FILE: XML without an element that no writer of pictures needs, its words on standard output
well_formed() {
    python3 - "$1" <<'END'
import sys
import xml.etree.ElementTree as tree
SVG = "{http://www.w3.org/2000/svg}"
root = tree.parse(sys.argv[1]).getroot()
tags = {e.tag.removeprefix(SVG) for e in root.iter()}
extra = tags - {"svg", "title", "desc", "style", "rect", "circle", "line", "polyline", "text"}
if root.tag != SVG + "svg" or extra or root.get("role") != "img":
    sys.exit(f"not a picture of ours: {sorted(extra)}")
width, height = float(root.get("width")), float(root.get("height"))
for e in root.iter():
    for key, most in (("x", width), ("y", height), ("cx", width), ("cy", height), ("x2", width), ("y2", height)):
        if e.get(key) and not -0.1 <= float(e.get(key)) <= most + 0.1:
            sys.exit(f"{e.tag} {e.get(key)}: outside the picture")
print("\n".join(e.text or "" for e in root.iter()))
END
}

draw() { # SCENARIO FILE [OPTION]...
    "$sim" run --scenario "$1" --svg "$2" --json "${@:3}"
}

step "every scenario"
for file in canary/sim/scenarios/*.json; do
    name=$(basename "$file" .json)
    draw "$name" "$WORK/$name.svg" >"$WORK/$name.json"
    words=$(well_formed "$WORK/$name.svg") || fail "$name"
    assert_contains "$words" "$name: " "the title"
done
assert_contains "$(well_formed "$WORK/S1.svg")" "halted after 70 s" "S1"
assert_contains "$(well_formed "$WORK/S1.svg")" "stalls: " "groups in S1"
assert_eq "$(jq .harm.p50 "$WORK/S1.json")" "$("$sim" run --scenario S1 --seeds 1 --json | jq .harm.p50)" "the figure beside it"

step "small fleets"
for fleet in 1 50 4999; do
    draw S2 "$WORK/small.svg" --fleet "$fleet" >"$WORK/out"
    well_formed "$WORK/small.svg" >"$WORK/out" || fail "$fleet devices"
done

step "the same seed, the same bytes"
draw S2 "$WORK/again.svg" >"$WORK/out"
cmp "$WORK/S2.svg" "$WORK/again.svg"
draw S2 "$WORK/other.svg" --seed 2 >"$WORK/out"
! cmp -s "$WORK/S2.svg" "$WORK/other.svg" || fail "another seed, the same picture"

step "names and texts of people"
jq '.name = "</title><script>&\"" | .description = "]]> <b a=\"1\"> & caf\u00e9 \uffff" ' canary/sim/scenarios/S1.json >"$WORK/mine.json"
draw "$WORK/mine.json" "$WORK/mine.svg" >"$WORK/out"
assert_contains "$(well_formed "$WORK/mine.svg")" "</title><script>&\"" "the name as it was"

step "what is refused"
expect 2 draw all "$WORK/x.svg"
expect 2 draw S1 "$WORK/x.svg" --seeds 2
expect 2 draw S1 "$WORK/x.svg" --policy @push
expect 2 draw S1 "$WORK/x.svg" --record "$WORK/x.jsonl"
expect 1 draw S1 "$WORK/no/such/x.svg"
[ ! -e "$WORK/x.svg" ] || fail "a refused call wrote a picture"
ls "$WORK" | grep -c 'S1.svg' >"$WORK/out"
assert_eq "$(cat "$WORK/out")" 1 "nothing half written beside it"

step "the picture of docs/gate.md"
draw S2 "$WORK/docs.svg" >"$WORK/out"
cmp "$picture" "$WORK/docs.svg" ||
    fail "$picture is not what the simulator draws; look at it anew: firebreak-sim run --scenario S2 --svg $picture"
