/* signer: private keys, see key.h. To add a kind: one file with its row, and the row here. */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>

#include "base/hex.h"
#include "base/jsonx.h"
#include "tuf/signer_internal.h"

#define KEY_OBJECT_MAX 4096

/* The one without prefix comes last. */
static const struct signer_kind *const kinds[] = {&signer_kind_cmd, &signer_kind_pkcs11,
                                                  &signer_kind_file};

int signer_open(const char *ref, const char *passphrase, struct signer **ret, struct err *err)
{
    _cleanup_(signer_free_p)
    struct signer *s = calloc(1, sizeof *s);
    size_t i = 0;
    int r;

    if (!s)
        return err_set(err, ERR_NOMEM, "out of memory");
    while (strncmp(ref, kinds[i]->prefix, strlen(kinds[i]->prefix)))
        i++;
    s->kind = kinds[i];
    r = s->kind->open(ref + strlen(s->kind->prefix), passphrase, s, err);
    if (r < 0)
        return r;
    *ret = take_ptr(s);
    return 0;
}

void signer_free(struct signer *s)
{
    if (!s)
        return;
    key_free(s->key);
    EVP_PKEY_free(s->pkey);
    free(s->where);
    if (s->pin)
        explicit_bzero(s->pin, strlen(s->pin));
    free(s->pin);
    free(s);
}

const struct key *signer_key(const struct signer *s)
{
    return s->key;
}

int signer_parse_key(const struct buf *text, struct key **ret, struct err *err)
{
    json_auto_t *o = NULL;
    int r = jsonx_parse(text->data, text->len, KEY_OBJECT_MAX, &o, err);

    return r < 0 ? r : key_from_json(o, ret, err);
}

int signer_sign_with(const struct key *k, EVP_PKEY *private_half, const void *data, size_t len,
                     char ret_hex[KEY_SIG_MAX + 1], struct err *err)
{
    unsigned char sig[KEY_SIG_BYTES_MAX];
    size_t sig_len = sizeof sig;
    _cleanup_(EVP_MD_CTX_free_p)
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = ctx && key_begin(k, ctx, private_half) == 0 &&
             EVP_DigestSign(ctx, sig, &sig_len, data, len) == 1;

    if (!ok)
        return err_set(err, ERR_INTERNAL, "OpenSSL cannot sign with key '%s'", key_id(k));
    hex_encode(sig, sig_len, ret_hex);
    return 0;
}

int signer_sign(const struct signer *s, const void *data, size_t len, char ret_hex[KEY_SIG_MAX + 1],
                struct err *err)
{
    char hex[KEY_SIG_MAX + 1];
    int r = s->kind->sign(s, data, len, hex, err);

    if (r < 0)
        return r;
    if (!key_verify(s->key, data, len, hex)) /* found here, not by a fleet */
        return err_set(err, ERR_UNTRUSTED, "signer made a signature that its key '%s' refuses",
                       key_id(s->key));
    strcpy(ret_hex, hex);
    return 0;
}
