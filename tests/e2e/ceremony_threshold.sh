#!/bin/bash
# Two more people, and three signatures instead of two: each signs a copy of their own, in any order, and
# the copies are merged. What must not be signed or merged is not.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
. "$(dirname "$0")/ceremony.bash"

before_ceremony
person dora emil
get root "$desk/1.root.json"
draft repo change "$desk/1.root.json" -o "$desk/2.root.json" --role root --add-key "$(pub dora)" \
    --add-key "$(pub emil)" --threshold 4
expect 1 alone "$bin" repo change "$desk/1.root.json" -o "$desk/no.json" --role root --threshold 4
assert_contains "$out" "would need 4 signatures and has 3 keys" "more signatures than keys"
expect 1 alone "$bin" repo change "$desk/2.root.json" -o "$desk/no.json" --role root --add-key "$(pub dora)"
expect 2 alone "$bin" repo change "$desk/2.root.json" -o "$desk/no.json" --role root
[ ! -e "$desk/no.json" ] || fail "a refused change was written"

step "nobody signs unasked"
expect 2 alone "$bin" repo sign "$desk/2.root.json" --key "$(key_file dora)" \
    --passphrase-file "$WORK/passphrase"
assert_eq "$(jq '.signatures | length' "$desk/2.root.json")" 0 "signatures without an answer"
ask() { # ANSWER: sign as dora at a terminal
    echo "$1" | script -qec "$bin repo sign $desk/asked.json --key $(key_file dora) --root $desk/1.root.json \
        --passphrase-file $WORK/passphrase" /dev/null
}
asks_at_a_terminal() {
    cp "$desk/2.root.json" "$desk/asked.json"
    ! ask no >"$WORK/terminal" || fail "signed although the answer was no"
    assert_contains "$(cat "$WORK/terminal")" "+ role root: key $(key_id emil)" "what is shown before the question"
    assert_eq "$(jq '.signatures | length' "$desk/asked.json")" 0 "signatures after no"
    ask yes >"$WORK/terminal" || fail "not signed although the answer was yes: $(cat "$WORK/terminal")"
    assert_eq "$(jq '.signatures | length' "$desk/asked.json")" 1 "signatures after yes"
}
if script -qec true /dev/null >/dev/null 2>&1; then
    asks_at_a_terminal
else
    echo "  not run: the question at a terminal (no pseudo-terminal can be made here)"
    cp "$desk/2.root.json" "$desk/asked.json"
    sign 0 "$desk/asked.json" dora --root "$desk/1.root.json"
fi

step "four people, four copies, any order"
for who_signs in emil root-3 dora root-2; do
    cp "$desk/2.root.json" "$desk/$who_signs.json"
    sign 0 "$desk/$who_signs.json" "$who_signs" --root "$desk/1.root.json"
done
sign 0 "$desk/dora.json" dora --root "$desk/1.root.json" # twice is once
assert_eq "$(jq '.signatures | length' "$desk/dora.json")" 1 "signatures of one who signs twice"
cp "$desk/emil.json" "$desk/edited.json"
jq -c '.signed.expires = "2099-01-01T00:00:00Z"' "$desk/emil.json" >"$desk/edited.json"
sign 3 "$desk/edited.json" root-1 --root "$desk/1.root.json"
assert_contains "$out" "was changed since" "a file that was edited between signatures"
expect 1 alone "$bin" repo merge "$desk/dora.json" "$desk/edited.json"
assert_contains "$out" "signed parts differ" "merging what is not the same"
sign 3 "$desk/1.root.json" dora --root "$desk/1.root.json" # stale
expect 0 alone "$bin" --json repo merge "$desk/dora.json" "$desk/root-2.json" "$desk/emil.json" \
    --root "$desk/1.root.json"
assert_eq "$(jq -c '[.added, .complete]' <<<"$out")" "[2,false]" "three of four"
expect 0 alone "$bin" --json repo merge "$desk/dora.json" "$desk/root-3.json" "$desk/asked.json" \
    --root "$desk/1.root.json"
assert_eq "$(jq -c '[.added, .complete]' <<<"$out")" "[1,true]" "four of four"

expect 0 fb repo publish "$desk/dora.json" --root "$root"
rolled_out 2.0
assert_eq "$(trusted root)" 2 "the root that the endpoint trusts"
