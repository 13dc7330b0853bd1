# A whole small site for a story: server, real endpoints with trivial hooks, a crowd. Source lib.bash first.
# Sets $url; `fb` runs the command line as $who.
site=$WORK/site
channel=crs
who=releaser
key_type=ed25519
url=

fb() {
    "$FIREBREAK_BIN/firebreak" --server "$url" --token-file "$site/operators/$who.token" "$@"
}

# make_site [KEY=VALUE...]: keys and configuration; further settings of firebreakd.conf. Policies: demo, and
# quick with half its ticks.
make_site() {
    local setting
    (umask 077 && echo "correct horse battery" >"$WORK/passphrase")
    expect 0 "$FIREBREAK_BIN/firebreak" init "$site" --channel "$channel" --threshold 2 \
        --passphrase-file "$WORK/passphrase" --key-type "$key_type"
    for setting in listen=127.0.0.1:0 "port_file=$WORK/port" checkin_interval=0.5 "$@"; do
        sed -i "/^${setting%%=*} *=/d" "$site/server/firebreakd.conf"
        echo "$setting" >>"$site/server/firebreakd.conf"
    done
    echo '[{"after_s": 0, "share_ppm": 1000000}]' >"$WORK/pace.json"
    policy demo
    policy quick '.fast_tick_s = 0.5 | .tick_s = 0.5'
}

# policy NAME [JQ]: a copy of the demonstration's policy, changed by a jq filter
policy() {
    mkdir -p "$WORK/policies"
    jq ".name = \"$1\" | ${2:-.}" "$FIREBREAK_SOURCE/canary/policies/demo.json" >"$WORK/policies/$1.json"
    sed -i "/^policies_dir *=/d" "$site/server/firebreakd.conf"
    echo "policies_dir=$WORK/policies" >>"$site/server/firebreakd.conf"
}

# The first start takes a free port, later ones the same again.
start_server() {
    rm -f "$WORK/port"
    start server "$FIREBREAK_BIN/firebreakd" --config "$site/server/firebreakd.conf"
    wait_until 20 "the server listens" test -s "$WORK/port"
    url=http://127.0.0.1:$(cat "$WORK/port")
    sed -i "s|^listen *=.*|listen=127.0.0.1:$(cat "$WORK/port")|" "$site/server/firebreakd.conf"
}

# token GROUP USES: an enrolment token into $WORK/GROUP.token
token() {
    who=admin expect 0 fb token create --group "$1" --uses "$2" --out "$WORK/$1.token"
}

# make_endpoint NAME [LINE...]: configuration and enrolment; further lines of [channel]
make_endpoint() {
    local home=$WORK/$1
    shift
    mkdir -p "$home"
    cp "$site/endpoint/root.json" "$home/root.json"
    printf '%s\n' "server=$url" root=root.json state_dir=state ring="${ring:-default}" \
        poll_interval=0.5 boot_guard=off "[channel $channel]" "$@" >"$home/agent.conf"
    expect 0 agent "$(basename "$home")" enrol --token-file "$WORK/endpoints.token"
}

agent() {
    local name=$1
    shift
    "$FIREBREAK_BIN/firebreak-agent" --config "$WORK/$name/agent.conf" "$@"
}

start_endpoint() {
    start "$1" "$FIREBREAK_BIN/firebreak-agent" --config "$WORK/$1/agent.conf" run
}

endpoint_version() {
    agent "$1" --json status | jq -r ".channels[] | select(.channel == \"$channel\") | .version // \"none\""
}

endpoint_runs() { # NAME VERSION
    [ "$(endpoint_version "$1")" = "$2" ]
}

# start_crowd SCRIPT-JSON COUNT: enrolled when this returns
start_crowd() {
    echo "$1" >"$WORK/crowd.json"
    start crowd "$FIREBREAK_BIN/firebreak-fleet" --script "$WORK/crowd.json" --server "$url" \
        --root "$site/endpoint/root.json" --token-file "$WORK/crowd.token" \
        --out "$WORK/crowd-result.json" --ready-file "$WORK/crowd-ready"
    wait_until 60 "the crowd is enrolled" test -e "$WORK/crowd-ready"
}

# Files of the keys that sign releases; none: the first two of offline/.
content_keys=()

# publish VERSION [FILE CONTENT]...: build, sign, publish; $lowest: its lowest sequence, $early_boot: it takes part in booting, where set
publish() {
    local version=$1 dir=$WORK/release-$1 key
    local -a keys=("${content_keys[@]}")
    shift
    [ ${#keys[@]} -gt 0 ] || keys=("$site/offline/content-$channel-"{1,2}.pem)
    mkdir -p "$dir/tree"
    echo "content of $version" >"$dir/tree/rules.conf"
    while [ $# -gt 0 ]; do
        mkdir -p "$(dirname "$dir/tree/$1")"
        printf '%s' "$2" >"$dir/tree/$1"
        shift 2
    done
    expect 0 fb release build "$dir/tree" --channel "$channel" --version "$version" --faster-pace \
        --root "$site/endpoint/root.json" --pace "$WORK/pace.json" -o "$dir/out" \
        ${lowest:+--lowest-sequence "$lowest"} ${early_boot:+--early-boot}
    for key in "${keys[@]}"; do
        expect 0 fb release sign "$dir/out" --key "$key" --passphrase-file "$WORK/passphrase"
    done
    expect 0 fb release publish "$dir/out" --root "$site/endpoint/root.json"
}

rollout_field() { # JQ: of the channel's rollout, halted (then the command says 6) or not
    { fb --json rollout status "$channel" 2>/dev/null || true; } | jq -r "$1"
}

rollout_is() { # JQ VALUE
    [ "$(rollout_field "$1")" = "$2" ]
}
