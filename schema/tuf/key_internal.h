/* key_internal: what key.c and signer*.c share beside key.h: OpenSSL's view of a key. */
#ifndef FIREBREAK_KEY_INTERNAL_H
#define FIREBREAK_KEY_INTERNAL_H

#include <openssl/evp.h>

#include "tuf/key.h"

#define KEY_SIG_BYTES_MAX (KEY_SIG_MAX / 2)

/* The public half of pkey as a key. ERR_INVALID for a kind of key that is not supported. */
int key_from_pkey(EVP_PKEY *pkey, struct key **ret, struct err *err);

/* The digest that k's scheme signs with; NULL where the scheme hashes by itself (ed25519). */
const EVP_MD *key_digest(const struct key *k);

/* A new key pair of "ed25519" or "ecdsa"; NULL where OpenSSL fails. ERR_INVALID: unknown type. */
int key_new_pair(const char *keytype, EVP_PKEY **ret, struct err *err);

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)
DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free)
DEFINE_CLEANUP(BIO *, BIO_free_all)

#endif
