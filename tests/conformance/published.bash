# The other direction: an independent client reads what a real server publishes. A story sources this and calls
# read_site, once a key type.
# shellcheck source=../e2e/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/lib.bash"
# shellcheck source=../e2e/site.bash
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/site.bash"
conformance=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=$WORK/tuf-js # the client's trusted metadata
mkdir -p "$home" "$WORK/targets"

# tuf_js ARGUMENTS...
tuf_js() {
    "$conformance/node" "$conformance/tuf-js-client.js" --metadata-dir "$home" --metadata-url "$url/repo/metadata" "$@"
}

# trusted_version ROLE
trusted_version() {
    jq .signed.version "$home/$1.json"
}

# fetch TARGET: found through all delegations, its length and hash verified; into $fetched
fetch() {
    expect 0 tuf_js --target-name "$1" --target-dir "$WORK/targets" --target-base-url "$url/repo/targets" download
    fetched=$WORK/targets/${1//\//%2F}
}

# fetch_release VERSION: the manifest has the bytes that were signed
fetch_release() {
    fetch "content/$channel/$1.json"
    cmp "$fetched" "$WORK/release-$1/out/manifest.json" || fail "the manifest of $1 is not the one that was signed"
}

# fetch_plan VERSION: the plan names the release by the digest of those bytes
fetch_plan() {
    fetch "rollout/$channel.json"
    assert_eq "$(jq -r '.rollouts[].digest' "$fetched")" \
        "$(sha256sum <"$WORK/release-$1/out/manifest.json" | cut -d' ' -f1)" "the release that the plan names"
}

# read_site TYPE SCHEME: from an empty site to two releases and a plan, starting with the site's root
read_site() {
    key_type=$1
    make_site
    start_server
    step "an empty site"
    expect 0 tuf_js init "$site/endpoint/root.json"
    expect 0 tuf_js refresh
    assert_eq "$(jq -r '[.signed.keys[].scheme] | unique | join(" ")' "$home/root.json")" "$2" "schemes of the keys in root"
    expect 1 tuf_js --target-name "content/$channel/1.0.json" --target-dir "$WORK/targets" \
        --target-base-url "$url/repo/targets" download

    step "a release"
    publish 1.0
    fetch_release 1.0
    assert_eq "$(trusted_version "content-$channel")" 1 "version of the content metadata"

    step "a rollout of it"
    token endpoints 1
    make_endpoint one
    expect 0 fb rollout start "$channel/1.0" --policy demo
    fetch_plan 1.0
    fetch_release 1.0

    step "another release, after a restart"
    stop server
    start_server
    publish 2.0
    fetch_release 2.0
    fetch_release 1.0
    fetch_plan 1.0
}
