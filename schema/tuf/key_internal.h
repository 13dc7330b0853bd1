/* key_internal: what key.c and signer*.c share beside key.h: OpenSSL's view of a key. */
#ifndef FIREBREAK_KEY_INTERNAL_H
#define FIREBREAK_KEY_INTERNAL_H

#include <openssl/evp.h>

#include "tuf/key.h"

#define KEY_SIG_BYTES_MAX (KEY_SIG_MAX / 2)

/* The public half of pkey as a key. ERR_INVALID for a kind of key that is not supported. */
int key_from_pkey(EVP_PKEY *pkey, struct key **ret, struct err *err);

/* Make ctx ready to verify by k's scheme, or with k's private half to sign by it. 0 or -1. */
int key_begin(const struct key *k, EVP_MD_CTX *ctx, EVP_PKEY *private_half);

/* A new key pair, `name` one of KEY_TYPES. ERR_INVALID: another one. */
int key_new_pair(const char *name, EVP_PKEY **ret, struct err *err);

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)
DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free)
DEFINE_CLEANUP(BIO *, BIO_free_all)

#endif
