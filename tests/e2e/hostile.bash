# The hostile proxy (hostile.py) for stories: source it after site.bash. Sets $hostile, its folder.
hostile=$WORK/hostile

start_hostile() {
    mkdir -p "$hostile"
    start hostile python3 "$FIREBREAK_SOURCE/tests/e2e/hostile.py" "$url" "$hostile"
    wait_until 20 "the proxy listens" test -s "$hostile/port"
}

# through NAME: the endpoint's requests pass the proxy from now on
through() {
    sed -i "s|^server=.*|server=http://127.0.0.1:$(cat "$hostile/port")|" "$WORK/$1/agent.conf"
}

# orders [LINE...]: what the proxy does from now on; none: it passes all
orders() {
    if [ $# -eq 0 ]; then
        rm -f "$hostile/orders"
    else
        printf '%s\n' "$@" >"$hostile/orders"
    fi
}

passes_bring() { # NAME VERSION
    agent "$1" once
    endpoint_runs "$1" "$2"
}
