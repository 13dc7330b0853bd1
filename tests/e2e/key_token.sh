#!/bin/bash
# A release key on a PKCS#11 token (SoftHSM): shown, named in a ceremony, and a release that it and a key file
# signed is published. Everything that can be wrong with a token is told, and a PIN is nowhere to be seen.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"

module=/usr/lib/softhsm/libsofthsm2.so
key="pkcs11:token=Release%20keys;object=alice?module-path=$module"
pin=271828
[ -e $module ] || fail "SoftHSM is not installed: run deploy/install-packages"

# refused STATUS PART COMMAND...: and what it says has this part in it
refused() {
    local status=$1 part=$2
    shift 2
    expect "$status" "$@"
    assert_contains "$out" "$part" "refusal"
    assert_contains "$out" "remedy:" "remedy"
    [[ $out != *$pin* ]] || fail "the PIN is in: $out"
}

cd "$WORK"
export SOFTHSM2_CONF=$WORK/softhsm.conf
mkdir tokens
printf '%s\n' "directories.tokendir = $WORK/tokens" "log.level = ERROR" >softhsm.conf
(umask 077 && echo $pin >pin && echo 314159 >wrong-pin)

step "a token with a key, whose file is then gone"
softhsm2-util --init-token --free --label "Release keys" --pin $pin --so-pin 5678 >/dev/null
expect 0 fb key new alice.pem --type ecdsa --no-passphrase
softhsm2-util --import alice.pem --token "Release keys" --label alice --id 01 --pin $pin >/dev/null
rm alice.pem

step "its public half"
expect 0 fb key show "$key" --passphrase-file pin -o alice.pub.json
cmp alice.pub.json alice.pem.pub.json || fail "another public half"
expect 0 fb --json key show "$key" --passphrase-file pin
alice=$(jq -r .keyid <<<"$out")

step "what can be wrong"
refused 3 "wrong PIN" fb key show "$key" --passphrase-file wrong-pin
refused 3 "asks for its PIN" fb key show "$key"
refused 1 "no such token" fb key show "${key/Release/Other}" --passphrase-file pin
refused 1 "no such private key" fb key show "${key/alice/bob}" --passphrase-file pin
refused 1 "module cannot be loaded" fb key show "${key/libsofthsm2/none}" --passphrase-file pin
refused 3 "list of processes" fb key show "$key&pin-value=$pin"
refused 2 "both a token and a key" fb key show "pkcs11:object=alice" --passphrase-file pin
OPENSSL_ENGINES=$WORK refused 1 "not installed" fb key show "$key" --passphrase-file pin

step "an Ed25519 key on the token: the engine reads none of its keys, and it is said"
softhsm2-util --init-token --free --label mixed --pin $pin --so-pin 5678 >/dev/null
expect 0 fb key new ed.pem --no-passphrase
softhsm2-util --import ed.pem --token mixed --label ed --id 01 --pin $pin >/dev/null
refused 3 "Ed25519" fb key show "pkcs11:token=mixed;object=ed?module-path=$module" --passphrase-file pin

step "a ceremony names it among the keys that sign releases"
make_site
start_server
expect 0 fb repo get targets -o 1.targets.json --root "$site/endpoint/root.json"
expect 0 fb repo change 1.targets.json -o 2.targets.json --role content-$channel --add-key alice.pub.json
for n in 1 2; do
    expect 0 fb repo sign 2.targets.json --key "$site/offline/targets-$n.pem" --passphrase-file passphrase \
        --root "$site/endpoint/root.json" --yes
done
expect 0 fb repo publish 2.targets.json --root "$site/endpoint/root.json"

step "a release signed by a key file and the token"
mkdir tree
echo "content" >tree/rules.conf
expect 0 fb release build tree --channel $channel --version 1.0 --root "$site/endpoint/root.json" -o out
expect 0 fb release sign out --key "$site/offline/content-$channel-1.pem" --passphrase-file passphrase
refused 3 "1 of 2" fb release publish out --root "$site/endpoint/root.json"
refused 3 "wrong PIN" fb release sign out --key "$key" --passphrase-file wrong-pin
expect 0 fb --json release sign out --key "$key" --passphrase-file pin
assert_eq "$(jq -r .keyid <<<"$out")" "$alice" "who signed"
expect 0 fb release publish out --root "$site/endpoint/root.json"
assert_eq "$(jq --arg id "$alice" '[.signatures[] | select(.keyid == $id)] | length' out/content-$channel.json)" 1 \
    "signatures of the token"

step "the PIN is in no file but its own"
grep -rlF $pin "$WORK" --exclude=pin && fail "the PIN is in a file"
stop server
