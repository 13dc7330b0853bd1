/* signer_pkcs11: asking a key on a PKCS#11 token, in a child with a deadline. */
#ifndef FIREBREAK_SIGNER_PKCS11_H
#define FIREBREAK_SIGNER_PKCS11_H

#include <stddef.h>
#include <stdint.h>

#include "tuf/key.h"
#include "tuf/token_uri.h"

/* One question to a token. */
struct token_job {
    const struct token_uri *token;
    const char *pin;       /* NULL: none was given */
    const struct key *key; /* sign by its scheme; NULL: tell the public half */
    const void *data;      /* what to sign */
    size_t len;
};

/* The signature in hex, or the TUF key object, appended to ret. ERR_TIMEOUT after deadline_ms. */
int signer_pkcs11_ask(const struct token_job *job, int64_t deadline_ms, struct buf *ret,
                      struct err *err);

#endif
