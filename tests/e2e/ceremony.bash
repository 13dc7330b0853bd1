# For the stories of ceremonies: people with keys of their own, who sign at desks without network; a
# site with an endpoint from before the ceremony, which must follow it. Source lib.bash and site.bash first.
desk=$WORK/desk # everybody's; in life each has their own
bin=$FIREBREAK_BIN/firebreak
root=$site/endpoint/root.json
mkdir -p "$desk"

# person NAME...: a key at their own desk; public half in $desk/NAME.pem.pub.json
person() {
    local name
    for name in "$@"; do
        expect 0 alone "$bin" key new "$desk/$name.pem" --passphrase-file "$WORK/passphrase"
    done
}

pub() {
    echo "$desk/$1.pem.pub.json"
}

# A person's key, or one that 'init' made.
key_file() {
    [ -e "$desk/$1.pem" ] && echo "$desk/$1.pem" || echo "$site/offline/$1.pem"
}

key_id() {
    "$bin" --json key show "$(key_file "$1")" --passphrase-file "$WORK/passphrase" | jq -r .keyid
}

# sign STATUS FILE WHO [OPTION...]: one signature, offline
sign() {
    local want=$1 file=$2 key
    key=$(key_file "$3")
    shift 3
    expect "$want" alone "$bin" repo sign "$file" --key "$key" --passphrase-file "$WORK/passphrase" --yes "$@"
}

# draft COMMAND...: 'firebreak COMMAND...' offline
draft() {
    expect 0 alone "$bin" "$@"
}

# get ROLE FILE: what is published, verified
get() {
    expect 0 fb repo get "$1" --root "$root" -o "$2"
}

# field FILE JQ: of what 'repo show' says
field() {
    local file=$1 query=$2
    shift 2
    "$bin" --json repo show "$file" "$@" | jq -r "$query"
}

# A server, and an endpoint that runs 1.0 of before the ceremony.
before_ceremony() {
    make_site "$@"
    start_server
    token endpoints 2
    ring=canary make_endpoint one soak=0.1 health_interval=0.1
    start_endpoint one
    rolled_out 1.0
}

rollout_over() {
    case $(rollout_field .state) in complete | halted | "") ;; *) false ;; esac
}

# rolled_out VERSION: published, and on the endpoint of before
rolled_out() {
    publish "$1"
    wait_until 20 "the rollout before $1 is over" rollout_over
    expect 0 fb rollout start "$channel/$1" --policy quick
    wait_until 20 "the endpoint of before runs $1" endpoint_runs one "$1"
}

# What is published now holds before a stranger who has the site's root.
stranger_agrees() {
    expect 0 fb repo check --root "$root" --blobs
}

# trusted ROLE: the version that the endpoint of before trusts
trusted() {
    jq .signed.version "$WORK"/one/state/tuf/*/"$1.json"
}
