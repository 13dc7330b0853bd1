/* signer_internal: what signer.c and the kinds of signers share. */
#ifndef FIREBREAK_SIGNER_INTERNAL_H
#define FIREBREAK_SIGNER_INTERNAL_H

#include "tuf/key_internal.h"

struct signer {
    const struct signer_kind *kind;
    struct key *key;
    EVP_PKEY *pkey; /* file: the private half */
    char *where;    /* command: its path; token: the URI */
    char *pin;      /* token; wiped when freed */
};

/* One kind: the prefix of its references, and how it comes by its public key and its signatures.
 * sign may give anything of the right form: signer_sign verifies it. */
struct signer_kind {
    const char *prefix;
    int (*open)(const char *rest, const char *passphrase, struct signer *s, struct err *err);
    int (*sign)(const struct signer *s, const void *data, size_t len, char ret_hex[KEY_SIG_MAX + 1],
                struct err *err);
};

extern const struct signer_kind signer_kind_file, signer_kind_cmd, signer_kind_pkcs11;

/* Sign by k's scheme with its private half. */
int signer_sign_with(const struct key *k, EVP_PKEY *private_half, const void *data, size_t len,
                     char ret_hex[KEY_SIG_MAX + 1], struct err *err);

/* The key object that a child printed. */
int signer_parse_key(const struct buf *text, struct key **ret, struct err *err);

#endif
