#!/usr/bin/env python3
"""Writes key_vectors.h: keys and signatures made by software that is not Firebreak's.

Keys and positive signatures come from openssl(1), the other ones and the key ids from python's
`cryptography` and `json` (Debian: python3-cryptography). Run it only to have new vectors:

    python3 tests/unit/key_vectors.py > tests/unit/key_vectors.h
"""

import base64
import hashlib
import json
import subprocess
import tempfile

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

MESSAGE = b"firebreak test vector\n"
P256, P384, RSA = "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "rsassa-pss-sha256"


def openssl(*args, stdin=None):
    return subprocess.run(["openssl", *args], check=True, capture_output=True, input=stdin).stdout


class Pair:
    def __init__(self, *genpkey):
        self.pem = openssl("genpkey", *genpkey)
        self.public = openssl("pkey", "-pubout", stdin=self.pem).decode()
        self.key = serialization.load_pem_private_key(self.pem, None)

    def openssl_sign(self, digest, *pss):
        with tempfile.NamedTemporaryFile() as f:
            f.write(self.pem)
            f.flush()
            return openssl("dgst", "-" + digest, "-sign", f.name, *pss, stdin=MESSAGE)

    def rsa_sign(self, salt, digest=hashes.SHA256(), mgf=hashes.SHA256()):
        return self.key.sign(MESSAGE, padding.PSS(padding.MGF1(mgf), salt), digest)


def canonical_id(keytype, scheme, public):
    """OLPC canonical JSON of a key object: sorted, only '"' and '\\' escaped, newlines as they are."""
    text = '{"keytype":"%s","keyval":{"public":"%s"},"scheme":"%s"}' % (keytype, public, scheme)
    return hashlib.sha256(text.encode()).hexdigest()


def string(text):
    chunks = [text[i:i + 88] for i in range(0, len(text), 88)] or [""]
    return "\n     ".join(json.dumps(chunk) for chunk in chunks)


def good(what, keytype, scheme, public, sig):
    print('    {"%s", "%s", "%s",\n     %s,\n     "%s",\n     %s, 1},' % (
        what, keytype, scheme, string(public), canonical_id(keytype, scheme, public), string(sig.hex())))


def bad(what, keytype, scheme, public, sig):
    print('    {"%s", "%s", "%s",\n     %s,\n     NULL,\n     %s, 0},' % (
        what, keytype, scheme, string(public), string(sig.hex())))


def broken(why, what, keytype, scheme, public):
    print('    {"%s", "%s", "%s", "%s",\n     %s},' % (what, why, keytype, scheme, string(public)))


def spki(key):
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def pem(der, name="PUBLIC KEY"):
    lines = base64.encodebytes(der).decode().replace("\n", "")
    return "-----BEGIN %s-----\n%s\n-----END %s-----\n" % (
        name, "\n".join(lines[i:i + 64] for i in range(0, len(lines), 64)), name)


def der_of(public):
    return base64.b64decode("".join(public.splitlines()[1:-1]))


p256 = Pair("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
p384 = Pair("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384")
p521 = Pair("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521")
k1 = Pair("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1")
explicit = Pair("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
explicit.spelled = openssl("pkey", "-pubout", "-ec_param_enc", "explicit", stdin=explicit.pem).decode()
rsa2048 = Pair("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
rsa8192 = Pair("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:8192")
rsa_pss = openssl("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048")
PSS = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32", "-sigopt", "rsa_mgf1_md:sha256")

print("""/* Made by key_vectors.py with openssl(1) and python's cryptography: see there. */
#ifndef FIREBREAK_KEY_VECTORS_H
#define FIREBREAK_KEY_VECTORS_H

#define VECTOR_MESSAGE %s

/* Signatures of VECTOR_MESSAGE, good ones and such as must not count. */
static const struct {
    const char *what, *keytype, *scheme, *public_text, *id, *sig;
    int valid;
} vectors[] = {""" % json.dumps(MESSAGE.decode()))
ec256 = p256.openssl_sign("sha256")
ec384 = p384.openssl_sign("sha384")
good("P-256", "ecdsa", P256, p256.public, ec256)
good("P-256, older name", P256, P256, p256.public, ec256)
good("P-384", "ecdsa", P384, p384.public, ec384)
good("P-384, older name", P384, P384, p384.public, ec384)
good("P-384, no newline at the end", "ecdsa", P384, p384.public.rstrip("\n"), ec384)
good("RSA 2048", "rsa", RSA, rsa2048.public, rsa2048.openssl_sign("sha256", *PSS))
good("RSA 2048 by python", "rsa", RSA, rsa2048.public, rsa2048.rsa_sign(32))
good("RSA 8192", "rsa", RSA, rsa8192.public, rsa8192.openssl_sign("sha256", *PSS))
bad("P-256 over SHA-384", "ecdsa", P256, p256.public, p256.openssl_sign("sha384"))
bad("P-384 over SHA-256", "ecdsa", P384, p384.public, p384.openssl_sign("sha256"))
bad("P-384, a byte after it", "ecdsa", P384, p384.public, ec384 + b"\0")
bad("P-384, cut", "ecdsa", P384, p384.public, ec384[:-1])
bad("P-384, raw r and s", "ecdsa", P384, p384.public, b"\x11" * 96)
bad("P-384, by another key", "ecdsa", P384, p384.public, ec256)
for what, salt in (("no salt", 0), ("salt of 20", 20), ("salt of 31", 31), ("salt of 33", 33),
                   ("longest salt", padding.PSS.MAX_LENGTH)):
    bad("RSA, " + what, "rsa", RSA, rsa2048.public, rsa2048.rsa_sign(salt))
bad("RSA over SHA-512", "rsa", RSA, rsa2048.public, rsa2048.rsa_sign(32, hashes.SHA512(), hashes.SHA512()))
bad("RSA, MGF1 with SHA-1", "rsa", RSA, rsa2048.public, rsa2048.rsa_sign(32, hashes.SHA256(), hashes.SHA1()))
bad("RSA, PKCS#1 v1.5", "rsa", RSA, rsa2048.public, rsa2048.openssl_sign("sha256"))
sig = rsa2048.rsa_sign(32)
bad("RSA, cut", "rsa", RSA, rsa2048.public, sig[:-1])
bad("RSA, a byte after it", "rsa", RSA, rsa2048.public, sig + b"\0")
bad("RSA, a zero before it", "rsa", RSA, rsa2048.public, b"\0" + sig)
bad("RSA, by another key", "rsa", RSA, rsa8192.public, sig)
print("""};

/* Public parts that no key may have. */
static const struct {
    const char *what, *why, *keytype, *scheme, *public_text;
} broken_keys[] = {""")
broken("is not a key for", "P-384 where P-256 is claimed", "ecdsa", P256, p384.public)
broken("is not a key for", "P-256 where P-384 is claimed", "ecdsa", P384, p256.public)
broken("is not a key for", "P-256 where P-384 is claimed, older name", P384, P384, p256.public)
broken("is not supported", "older name with the other scheme", P384, P256, p256.public)
broken("is not a key for", "P-521", "ecdsa", P384, p521.public)
broken("is not a key for", "secp256k1", "ecdsa", P256, k1.public)
broken("is not a key for", "RSA as ECDSA", "ecdsa", P256, rsa2048.public)
broken("is not a key for", "ECDSA as RSA", "rsa", RSA, p256.public)
broken("is not supported", "another RSA scheme", "rsa", "rsa-pkcs1v15-sha256", rsa2048.public)
broken("fewer than 2048 bits", "RSA of 1024 bits", "rsa", RSA, spki(rsa.generate_private_key(65537, 1024).public_key()))
broken("fewer than 2048 bits", "RSA of 2047 bits", "rsa", RSA, spki(rsa.RSAPublicNumbers(65537, 2**2046 + 1).public_key()))
broken("more than 8192 bits", "RSA of 8193 bits", "rsa", RSA, spki(rsa.RSAPublicNumbers(65537, 2**8192 + 1).public_key()))
der = der_of(spki(rsa.RSAPublicNumbers(65537, 2**2047 + 1).public_key()))
assert der.endswith(b"\x01\x02\x03\x01\x00\x01")
broken("even or trivial", "RSA with an even modulus", "rsa", RSA, pem(der[:-6] + b"\x00\x02\x03\x01\x00\x01"))
broken("even or trivial", "RSA with an even exponent", "rsa", RSA, pem(der[:-1] + b"\x00"))
broken("is not a key for", "key for RSA-PSS only", "rsa", RSA, openssl("pkey", "-pubout", stdin=rsa_pss).decode())
broken("spells out", "curve spelled out", "ecdsa", P256, explicit.spelled)
infinity = bytearray(der_of(p256.public)[:-65]) + b"\0"
infinity[1] = len(infinity) - 2
infinity[-3:-1] = b"\x02\x00"
broken("not a point", "point at infinity", "ecdsa", P256, pem(bytes(infinity)))
off = bytearray(der_of(p256.public))
off[-1] ^= 1
broken("malformed", "point off the curve", "ecdsa", P256, pem(bytes(off)))
for text in ("00" * 32, "01" + "00" * 31, "00" * 31 + "80", "01" + "00" * 30 + "80", "ec" + "ff" * 31, "ed" + "ff" * 31,
             "ee" + "ff" * 30 + "7f", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
             "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"):
    broken("small order", "anybody's point", "ed25519", "ed25519", text)
broken("malformed", "ed25519, a digit less", "ed25519", "ed25519", "d7" * 31 + "d")
broken("malformed", "ed25519, a byte more", "ed25519", "ed25519", "d7" * 33)
broken("malformed", "ed25519 in PEM", "ed25519", "ed25519", Pair("-algorithm", "ED25519").public)
broken("malformed", "text after it", "ecdsa", P256, p256.public + "x")
broken("malformed", "another block after it", "ecdsa", P256, p256.public + p256.public)
broken("malformed", "text before it", "ecdsa", P256, "x\n" + p256.public)
broken("malformed", "bytes after the DER", "ecdsa", P256, pem(der_of(p256.public) + b"\0"))
broken("malformed", "a private key", "ecdsa", P256, p256.pem.decode())
broken("malformed", "a private RSA key", "rsa", RSA, rsa2048.pem.decode())
broken("malformed", "PKCS#1", "rsa", RSA, rsa2048.key.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.PKCS1).decode())
broken("malformed", "a private key called public", "ecdsa", P256, pem(openssl("pkey", "-outform", "DER", stdin=p256.pem)))
broken("malformed", "a header", "ecdsa", P256, p256.public.replace("-----\n", "-----\nComment: x\n\n", 1))
broken("malformed", "no end", "ecdsa", P256, p256.public[:60])
broken("malformed", "nothing", "ecdsa", P256, "")
print("""};

#endif""")
