# A stolen server (thief.py) for stories: source it after site.bash. Sets $thief, the thief's folder.
thief=$WORK/thief

thief_do() { # VERB [ARGUMENT...]
    python3 "$FIREBREAK_SOURCE/tests/e2e/thief.py" "$1" "$thief" "${@:2}"
}

# The server falls into a thief's hands: he has its keys and what is published, and from now on he is
# what its endpoints reach. The real one is gone.
steal_server() { # NAME...: endpoints
    local name
    thief_do steal "$url" "$site"
    stop server
    start thief python3 "$FIREBREAK_SOURCE/tests/e2e/thief.py" serve "$thief"
    wait_until 20 "the thief listens" test -s "$thief/port"
    for name; do
        sed -i "s|^server=.*|server=http://127.0.0.1:$(cat "$thief/port")|" "$WORK/$name/agent.conf"
    done
}

digest_of() { # VERSION: of a release that was built here
    sha256sum "$WORK/release-$1/out/manifest.json" | cut -c1-64
}

# rollout VERSION SEQUENCE [DIGEST]: a rollout of a plan, as JSON: for everyone, at once
rollout() {
    jq -nc --arg version "$1" --argjson sequence "$2" --arg digest "${3:-$(digest_of "$1")}" \
        '{$digest, $version, $sequence, state: "running", stage_ppm: 1000000, cohorts: []}'
}

# recall VERSION...: the recalled list of a plan, as JSON
recall() {
    local version list=
    for version; do
        list+=${list:+,}{\"digest\":\"$(digest_of "$version")\",\"cohorts\":[]}
    done
    echo "[$list]"
}

# plan [KEY JSON]...: sign a plan that has these members
plan() {
    local members=
    while [ $# -gt 0 ]; do
        members+=${members:+,}\"$1\":$2
        shift 2
    done
    thief_do sign "{\"plan\":{$members}}"
}

# permits [JSON]: whoever is ready gets a permit, with these fields; `no_permits`: nobody does
permits() {
    echo "${1:-{\}}" >"$thief/permit.json.new"
    mv "$thief/permit.json.new" "$thief/permit.json"
}

no_permits() {
    rm -f "$thief/permit.json"
}

# in_vain NAME VERSION WHAT [PART]: a pass leaves VERSION where it is and whole; PART: the reason that the
# agent gives, as its error or in its status. One line each for the log.
in_vain() {
    local said
    said=$(agent "$1" once 2>&1) || true
    said=$(sed -n 's/^error: //p' <<<"$said" | head -n 1)
    [ -n "$said" ] || said=$(agent "$1" --json status | jq -r '.channels[0].refused // empty')
    [ -z "${4:-}" ] || assert_contains "$said" "$4" "$3"
    assert_eq "$(endpoint_version "$1")" "$2" "$1 after: $3"
    [ "$2" = none ] || expect 0 agent "$1" verify
    echo "    $3: ${said:-nothing was asked for}"
}

passes_bring() { # NAME VERSION
    agent "$1" once
    endpoint_runs "$1" "$2"
}
