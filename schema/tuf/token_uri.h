/*
 * token_uri: PKCS#11 URIs (RFC 7512) that name one private key on one token.
 *
 *   pkcs11:token=Release%20keys;object=content-1
 *   pkcs11:serial=1234;id=%01?module-path=/usr/lib/softhsm/libsofthsm2.so
 *
 * Both the token (token, serial) and the key (object, id) must be named: a PIN is never tried on
 * another token than the one that is meant. A PIN within the URI is refused, for others see it in
 * the list of processes. No error quotes a value.
 */
#ifndef FIREBREAK_TOKEN_URI_H
#define FIREBREAK_TOKEN_URI_H

#include "base/err.h"

#define TOKEN_URI_MAX    512
#define TOKEN_MODULE_MAX 256

struct token_uri {
    char uri[TOKEN_URI_MAX];       /* the path part alone, "pkcs11:" before it */
    char module[TOKEN_MODULE_MAX]; /* absolute path of the module to load; "": the system's */
};

/* `rest` is what follows "pkcs11:". ERR_USAGE, ERR_REFUSED for a PIN. */
int token_uri_parse(const char *rest, struct token_uri *ret, struct err *err);

#endif
