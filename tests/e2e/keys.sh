#!/bin/bash
# Keys of every kind: made, shown, resealed, handed over; a site whose keys are all RSA gives an endpoint a
# release that a P-384 file and a signer command signed, the one that docs/keys.md shows.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
key_type=rsa

secret() { # NAME TEXT
    (umask 077 && echo "$2" >"$WORK/$1")
}

# refused STATUS PART COMMAND...: and what it says has this part in it
refused() {
    local status=$1 part=$2
    shift 2
    expect "$status" "$@"
    assert_contains "$out" "$part" "refusal"
}

cd "$WORK"
secret old "the old one"
secret new "the new one"

step "key new, each type"
for type in ed25519 ecdsa ecdsa-p384 rsa; do
    expect 0 fb --json key new $type.pem --type $type --passphrase-file old
    id=$(jq -r .keyid <<<"$out")
    assert_eq "$(stat -c %a $type.pem $type.pem.pub.json | xargs)" "600 644" "modes"
    expect 0 fb --json key show $type.pem --passphrase-file old
    assert_eq "$(jq -r .keyid <<<"$out")" "$id" "id of the private half"
    expect 0 fb key show $type.pem.pub.json
    assert_contains "$out" "$id" "id of the public half"
    assert_contains "$(head -1 $type.pem)" "ENCRYPTED" "sealed"
    assert_eq "$(grep -c PRIVATE $type.pem.pub.json)" 0 "private halves in the public one"
    # its id by other software: sorted, only " and \ escaped, newlines as they are
    canonical=$(jq -jr '"{\"keytype\":\"\(.keytype)\",\"keyval\":{\"public\":\"\(.keyval.public)\"},\"scheme\":\"\(.scheme)\"}"' \
        $type.pem.pub.json | sha256sum | cut -d' ' -f1)
    assert_eq "$id" "$canonical" "id of $type"
done
refused 1 "never overwritten" fb key new rsa.pem --passphrase-file old
refused 2 "either a passphrase or none" fb key new x.pem
refused 2 "is unknown" fb key new x.pem --type dsa --no-passphrase
touch y.pem.pub.json
refused 1 "never overwritten" fb key new y.pem --no-passphrase
refused 1 "exists" fb key show ed25519.pem --passphrase-file old -o y.pem.pub.json
assert_eq "$(ls x.pem* y.pem 2>/dev/null | wc -l)" 0 "files of what was refused"
chmod 644 ecdsa.pem
refused 3 "others may read it" fb key show ecdsa.pem --passphrase-file old
chmod 600 ecdsa.pem

step "key passphrase"
refused 3 "wrong passphrase" fb key passphrase rsa.pem --passphrase-file new --new-passphrase-file old
expect 0 fb key passphrase rsa.pem --passphrase-file old --new-passphrase-file new
refused 3 "wrong passphrase" fb key show rsa.pem --passphrase-file old
refused 3 "no passphrase was given" fb key show rsa.pem
expect 0 fb key show rsa.pem --passphrase-file new -o rsa.pub.json
cmp rsa.pub.json rsa.pem.pub.json || fail "another public half"
assert_eq "$(ls rsa.pem.?????? 2>/dev/null | wc -l)" 0 "left-overs"

step "the signer command of docs/keys.md, with a key service of our own"
sed -n '/^```sh$/,/^```$/p' "$FIREBREAK_SOURCE/docs/keys.md" | sed '/^```/d' >kms
chmod 755 kms
mkdir bin
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out kms.pem 2>/dev/null
cat >bin/aws <<'END'
#!/bin/bash
set -euo pipefail
[ "$1 $3 $4" = "kms --key-id alias/firebreak-content-1" ]
case $2 in
get-public-key) openssl pkey -in "$KMS_KEY" -pubout -outform DER | base64 -w0 ;;
sign)
    [[ "$*" == *"--message-type DIGEST"*"--signing-algorithm ECDSA_SHA_256"* ]]
    [[ "$*" =~ fileb://([^ ]*) ]]
    openssl pkeyutl -sign -inkey "$KMS_KEY" -in "${BASH_REMATCH[1]}" | base64 -w0
    ;;
esac
END
chmod 755 bin/aws
export PATH=$WORK/bin:$PATH KMS_KEY=$WORK/kms.pem
expect 0 fb key show cmd:./kms -o kms.pub.json
assert_eq "$(jq -r .keyval.public kms.pub.json)" "$(openssl pkey -in kms.pem -pubout)" "the service's public key"
printf '#!/bin/sh\necho "no such key" >&2\nexit 5\n' >broken
chmod 755 broken
refused 3 "failed with status 5" fb key show cmd:./broken
assert_contains "$out" "no such key" "its own words"
trap '' CHLD # as some who start programs do
refused 3 "failed with status 5" fb key show cmd:./broken
trap - CHLD
refused 1 "No such file" fb key show cmd:./none

step "a site with RSA keys; a ceremony adds P-384 and the key service to those who sign releases"
make_site
start_server
expect 0 fb repo get targets -o 1.targets.json --root "$site/endpoint/root.json"
expect 0 fb repo change 1.targets.json -o 2.targets.json --role content-$channel --add-key ecdsa-p384.pem.pub.json \
    --add-key kms.pub.json
for key in 1 2; do
    expect 0 fb repo sign 2.targets.json --key "$site/offline/targets-$key.pem" --passphrase-file passphrase \
        --root "$site/endpoint/root.json" --yes
done
expect 0 fb repo publish 2.targets.json --root "$site/endpoint/root.json"

step "they sign a release, an endpoint takes it"
mkdir tree
echo "content" >tree/rules.conf
expect 0 fb release build tree --channel $channel --version 1.0 --faster-pace --pace pace.json \
    --root "$site/endpoint/root.json" -o out
expect 0 fb release sign out --key ecdsa-p384.pem --passphrase-file old
refused 3 "1 of 2" fb release publish out --root "$site/endpoint/root.json"
mv kms.pem away.pem
refused 3 "failed with status" fb release sign out --key cmd:./kms
mv away.pem kms.pem
expect 0 fb release sign out --key cmd:./kms
expect 0 fb release publish out --root "$site/endpoint/root.json"
token endpoints 1
make_endpoint one soak=0.5 health_interval=0.5
start_endpoint one
expect 0 fb rollout start $channel/1.0 --policy quick
wait_until 60 "the endpoint runs it" endpoint_runs one 1.0
stop one
stop server
