#!/bin/bash
# firebreak-tuf over a disk that fails: each write, fsync, rename and creation in the folder of trusted metadata fails in turn, with
# EIO or ENOSPC. Each time it exits with 1 and says why, each file is the old one or the genuine new one, nothing else is
# left, and the next refresh, over a sound disk, puts all right.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"

export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 # the search for leaks does not work in what is traced
strace -f -o /dev/null true 2>/dev/null || {
    echo "needs the right to trace a process: not run"
    exit 0
}
tuf() { # DIR VERB...
    "$FIREBREAK_BIN/firebreak-tuf" --metadata-dir "$1" --metadata-url "$url/repo/metadata" "${@:2}"
}
make_site
start_server
publish 1.0
old=$WORK/old
expect 0 tuf "$old" init "$site/endpoint/root.json"
expect 0 tuf "$old" refresh
publish 2.0
honest=$WORK/honest
state=$WORK/state

# sound WHAT BEFORE: what the disk left is old or new, and a refresh puts it right
sound() {
    local file name
    for file in "$state"/*.json; do
        name=${file##*/}
        cmp -s "$file" "$2/$name" || cmp -s "$file" "$honest/$name" || fail "$1: '$name' is neither the old nor the new one"
    done
    for file in "$2"/*.json; do
        [ -e "$state/${file##*/}" ] || fail "$1: '${file##*/}' is gone"
    done
    expect 0 tuf "$state" refresh
    diff -r "$state" "$honest" >/dev/null || fail "$1: the next refresh left something else: $(diff -rq "$state" "$honest")"
}

# each_fails BEFORE: every call that touches the folder, once each
each_fails() {
    local before=$1 call error n runs=0
    rm -rf "$honest"
    cp -r "$before" "$honest"
    # -y shows the path behind a descriptor; calls are numbered by their names
    expect 0 strace -f -y -o "$WORK/calls" -e trace=openat,write,fsync,rename,unlink \
        "$FIREBREAK_BIN/firebreak-tuf" --metadata-dir "$honest" --metadata-url "$url/repo/metadata" refresh
    for call in openat:EIO openat:ENOSPC write:ENOSPC write:EIO fsync:EIO fsync:ENOSPC rename:EIO rename:ENOSPC; do
        error=${call#*:}
        call=${call%:*}
        for n in $(grep -E "^[0-9]+ +$call\(" "$WORK/calls" | grep -n "$honest" | grep -v "O_DIRECTORY\|ENOENT" | cut -d: -f1); do
            rm -rf "$state"
            cp -r "$before" "$state"
            expect 1 strace -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:error=$error:when=$n" \
                "$FIREBREAK_BIN/firebreak-tuf" --metadata-dir "$state" --metadata-url "$url/repo/metadata" refresh
            case $error in
            EIO) assert_contains "$out" "Input/output error" "$call $n" ;;
            ENOSPC) assert_contains "$out" "No space left" "$call $n" ;;
            esac
            sound "$call $n: $error" "$before"
            runs=$((runs + 1))
        done
    done
    echo "    $runs failures, each told and survived"
    assert_le 20 "$runs" "failures that were tried"
}

step "a later refresh"
each_fails "$old"

step "the first refresh"
mkdir "$WORK/first"
cp "$old/root.json" "$WORK/first/root.json"
each_fails "$WORK/first"

step "stopped in the middle of a write: nothing half is left"
for n in 1 2 3; do
    rm -rf "$state"
    cp -r "$WORK/first" "$state"
    expect 143 strace -f -qq -o /dev/null -e trace=fsync -e "inject=fsync:signal=TERM:when=$n" \
        "$FIREBREAK_BIN/firebreak-tuf" --metadata-dir "$state" --metadata-url "$url/repo/metadata" refresh
    for file in "$state"/*; do
        [[ $file == *.json ]] || fail "fsync $n: '${file##*/}' is left over"
    done
    sound "stopped at fsync $n" "$WORK/first"
done
