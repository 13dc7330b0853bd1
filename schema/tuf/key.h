/*
 * key: public keys as TUF names them (specification 1.0.34, section 4.2), and signers.
 *
 *   keytype  scheme               public                     signature, in hex
 *   ed25519  ed25519              64 hex digits              64 bytes (RFC 8032)
 *   ecdsa    ecdsa-sha2-nistp256  PEM SubjectPublicKeyInfo   DER, SHA-256
 *   ecdsa    ecdsa-sha2-nistp384  PEM SubjectPublicKeyInfo   DER, SHA-384
 *   rsa      rsassa-pss-sha256    PEM SubjectPublicKeyInfo   PSS, SHA-256, salt of 32 bytes
 *
 * Older repositories give ECDSA keys their scheme as keytype; both are read. RSA keys have 2048 to
 * 8192 bits. The PEM stands alone: nothing around it, no headers, no private key. The key id is the
 * SHA-256 of the canonical form of the key object.
 */
#ifndef FIREBREAK_KEY_H
#define FIREBREAK_KEY_H

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"

#define KEY_ID_LEN       64
#define KEY_SIG_MAX      2048 /* most hex digits in a signature: RSA with KEY_RSA_BITS_MAX */
#define KEY_RSA_BITS_MIN 2048
#define KEY_RSA_BITS_MAX 8192
#define KEY_RSA_BITS_NEW 3072 /* of keys that are made here */

/* What key_generate can make, as help and errors say it. */
#define KEY_TYPES "ed25519, ecdsa, ecdsa-p384 or rsa"

int key_type_check(const char *type, struct err *err); /* ERR_INVALID: none of them */

struct key; /* a public key */

/* From a TUF key object. ERR_INVALID for unknown types; *ret owned by the caller. */
int key_from_json(const json_t *o, struct key **ret, struct err *err);
/* The same, known by the id that a metadata file's table of keys gives it: TUF permits any id
 * there. NULL: the key's own id. */
int key_from_json_as(const json_t *o, const char *id, struct key **ret, struct err *err);
json_t *key_to_json(const struct key *k); /* new reference */
void key_free(struct key *k);
DEFINE_CLEANUP(struct key *, key_free)

/* SHA-256 of the canonical key object, 64 hex digits (or the id given to key_from_json_as); lives
 * as long as k. */
const char *key_id(const struct key *k);

/* True (1) if sig_hex is a valid signature of data. Malformed signatures are just invalid. */
int key_verify(const struct key *k, const void *data, size_t len, const char *sig_hex);

/* True if both are the same public key, whatever their ids. */
int key_same(const struct key *a, const struct key *b);

/* A private key that signs. Kinds by reference (docs/keys.md):
 *   FILE         PKCS#8 PEM of mode 0600, encrypted with the passphrase or not
 *   cmd:PATH     a program: called with the argument "public" it prints its TUF key object;
 * without, it gets the bytes on standard input and prints the signature in hex pkcs11:URI   a
 * token's key by RFC 7512, through OpenSSL's engine "pkcs11"; the passphrase is the PIN. ECDSA and
 * RSA only. passphrase may be NULL. Commands and tokens run in a child with a deadline. */
struct signer;
int signer_open(const char *ref, const char *passphrase, struct signer **ret, struct err *err);
void signer_free(struct signer *s);
DEFINE_CLEANUP(struct signer *, signer_free)
const struct key *signer_key(const struct signer *s);
int signer_sign(const struct signer *s, const void *data, size_t len, char ret_hex[KEY_SIG_MAX + 1],
                struct err *err);

/* Make a new key pair and write it to path (0600, durable): encrypted PKCS#8 (scrypt or PBKDF2,
 * AES-256) with a passphrase, plain where it is NULL. `type` is one of KEY_TYPES. *ret_pub may be
 * NULL. */
int key_generate(const char *type, const char *path, const char *passphrase, struct key **ret_pub,
                 struct err *err);

/* Seal the private key in path with another passphrase: the file is replaced atomically and
 * durably, then the old content is overwritten. Either passphrase may be NULL: none. *ret_pub may
 * be NULL. */
int key_change_passphrase(const char *path, const char *old_passphrase, const char *new_passphrase,
                          struct key **ret_pub, struct err *err);

#endif
