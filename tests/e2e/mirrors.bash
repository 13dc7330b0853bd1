# Static mirrors (mirror.py) for stories: source it after site.bash.

# start_mirror NAME [drip|hang|garbage]: serves $WORK/NAME; its address in ${mirror_url[NAME]}, its requests in NAME.log
declare -A mirror_url=()
start_mirror() {
    mkdir -p "$WORK/$1"
    start "$1" python3 "$FIREBREAK_SOURCE/tests/e2e/mirror.py" "$WORK/$1" "$WORK/$1.port" "${@:2}"
    wait_until 20 "the mirror '$1' listens" test -s "$WORK/$1.port"
    mirror_url[$1]=http://127.0.0.1:$(cat "$WORK/$1.port")
}

# mirrors_of ENDPOINT MIRROR...: names of mirrors, or addresses
mirrors_of() {
    local conf=$WORK/$1/agent.conf name list=
    shift
    for name; do
        list+="${list:+ }${mirror_url[$name]:-$name}"
    done
    sed -i '/^mirrors=/d' "$conf"
    sed -i "1i mirrors=$list" "$conf"
}

# sign_content FILE: by both of the channel's signers, at their own desks
sign_content() {
    for key in 1 2; do
        expect 0 "$FIREBREAK_BIN/firebreak" repo sign "$1" --yes --key "$site/offline/content-$channel-$key.pem" \
            --passphrase-file "$WORK/passphrase"
    done
}
