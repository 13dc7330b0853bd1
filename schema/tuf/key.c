/* key: see key.h. */
#include "tuf/key.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/hex.h"
#include "base/jsonx.h"
#include "tuf/canon.h"
#include "tuf/key_internal.h"

#define ED25519_LEN     32
#define PUBLIC_TEXT_MAX 1024 /* longest "public" of a supported key */

/* What differs between kinds of keys. To add one: one row, and codecs if its "public" is new. */
struct key_kind {
    const char *keytype;
    const char *scheme;
    const char *evp_type;          /* as EVP_PKEY_is_a() calls it */
    const char *group;             /* curve, as EVP_PKEY_get_group_name() calls it */
    const EVP_MD *(*digest)(void); /* NULL: the scheme hashes by itself */
    EVP_PKEY *(*decode)(const char *text);
    int (*encode)(EVP_PKEY *pkey, char ret[PUBLIC_TEXT_MAX]);
};

struct key {
    const struct key_kind *kind;
    EVP_PKEY *pkey;
    char *id;
    char *public_text;
};

static EVP_PKEY *decode_ed25519(const char *text)
{
    unsigned char raw[ED25519_LEN];
    size_t len = 0;

    if (strlen(text) != 2 * sizeof raw ||
        !OPENSSL_hexstr2buf_ex(raw, sizeof raw, &len, text, '\0') || len != sizeof raw)
        return NULL;
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, sizeof raw);
}

static int encode_ed25519(EVP_PKEY *pkey, char ret[PUBLIC_TEXT_MAX])
{
    unsigned char raw[ED25519_LEN];
    size_t len = sizeof raw;

    if (EVP_PKEY_get_raw_public_key(pkey, raw, &len) != 1 || len != sizeof raw)
        return -1;
    hex_encode(raw, sizeof raw, ret);
    return 0;
}

/* Keys come from elsewhere; without this OpenSSL asks whoever sits there to decrypt one. */
static int no_passphrase(char *ret, int size, int rwflag, void *ctx)
{
    (void)ret;
    (void)size;
    (void)rwflag;
    (void)ctx;
    return -1;
}

static EVP_PKEY *decode_pem(const char *text)
{
    _cleanup_(BIO_free_all_p)
    BIO *bio = BIO_new_mem_buf(text, -1);

    return bio ? PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL) : NULL;
}

static int encode_pem(EVP_PKEY *pkey, char ret[PUBLIC_TEXT_MAX])
{
    _cleanup_(BIO_free_all_p)
    BIO *bio = BIO_new(BIO_s_mem());
    int n;

    if (!bio || PEM_write_bio_PUBKEY(bio, pkey) != 1)
        return -1;
    n = BIO_read(bio, ret, PUBLIC_TEXT_MAX - 1);
    if (n <= 0 || BIO_pending(bio))
        return -1;
    ret[n] = '\0';
    return 0;
}

/* The first row of an EVP type and group is the one that new keys are named by; the later name of
 * ECDSA keys is that of older repositories. */
static const struct key_kind kinds[] = {
    {"ed25519", "ed25519", "ED25519", NULL, NULL, decode_ed25519, encode_ed25519},
    {"ecdsa", "ecdsa-sha2-nistp256", "EC", "prime256v1", EVP_sha256, decode_pem, encode_pem},
    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", "EC", "prime256v1", EVP_sha256, decode_pem,
     encode_pem},
};

#define N_KINDS (sizeof kinds / sizeof kinds[0])

static const struct key_kind *kind_by_name(const char *keytype, const char *scheme)
{
    for (size_t i = 0; i < N_KINDS; i++)
        if (!strcmp(kinds[i].keytype, keytype) && (!scheme || !strcmp(kinds[i].scheme, scheme)))
            return &kinds[i];
    return NULL;
}

static bool kind_is_of(const struct key_kind *kind, EVP_PKEY *pkey)
{
    char group[64] = "";

    if (!EVP_PKEY_is_a(pkey, kind->evp_type))
        return false;
    if (!kind->group)
        return true;
    return EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) == 1 &&
           !strcmp(group, kind->group);
}

/* pkey is taken over, also on failure. id NULL: the canonical object's hash. */
static int key_make(const struct key_kind *kind, EVP_PKEY *pkey, const char *public_text,
                    const char *id, struct key **ret, struct err *err)
{
    _cleanup_(key_free_p)
    struct key *k = calloc(1, sizeof *k);
    char hash[SHA256_HEX_LEN + 1];
    struct buf b;
    int r;

    if (!k) {
        EVP_PKEY_free(pkey);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    k->kind = kind;
    k->pkey = pkey;
    k->public_text = strdup(public_text);
    if (!k->public_text)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (!id) {
        json_auto_t *o = key_to_json(k);

        buf_init(&b, 4 * PUBLIC_TEXT_MAX);
        r = canon_write(o, &b, err);
        if (r == 0)
            sha256_hex(b.data, b.len, hash);
        buf_release(&b);
        if (r < 0)
            return r;
    }
    k->id = strdup(id ? id : hash);
    if (!k->id)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret = take_ptr(k);
    return 0;
}

int key_from_json_as(const json_t *o, const char *id, struct key **ret, struct err *err)
{
    const char *keytype, *scheme, *text;
    const struct key_kind *kind;
    EVP_PKEY *pkey;
    json_t *keyval;
    int r;

    if (!json_is_object(o))
        return err_set(err, ERR_INVALID, "key is not a JSON object");
    if ((r = jsonx_string(o, "key", "keytype", 64, &keytype, err)) < 0 ||
        (r = jsonx_string(o, "key", "scheme", 64, &scheme, err)) < 0 ||
        (r = jsonx_object(o, "key", "keyval", &keyval, err)) < 0 ||
        (r = jsonx_string(keyval, "key", "public", PUBLIC_TEXT_MAX - 1, &text, err)) < 0)
        return r;
    kind = kind_by_name(keytype, scheme);
    if (!kind)
        return err_set(err, ERR_INVALID, "key type '%s' with scheme '%s' is not supported", keytype,
                       scheme);
    pkey = kind->decode(text);
    ERR_clear_error();
    if (!pkey)
        return err_set(err, ERR_INVALID, "public part of the %s key is malformed", keytype);
    if (!kind_is_of(kind, pkey)) {
        EVP_PKEY_free(pkey);
        return err_set(err, ERR_INVALID, "public part is not a key for scheme '%s'", scheme);
    }
    return key_make(kind, pkey, text, id, ret, err);
}

int key_from_json(const json_t *o, struct key **ret, struct err *err)
{
    return key_from_json_as(o, NULL, ret, err);
}

int key_from_pkey(EVP_PKEY *pkey, struct key **ret, struct err *err)
{
    char text[PUBLIC_TEXT_MAX];

    for (size_t i = 0; i < N_KINDS; i++) {
        EVP_PKEY *public_half;

        if (!kind_is_of(&kinds[i], pkey))
            continue;
        /* through its text, so that a public key never carries the private half along */
        public_half = kinds[i].encode(pkey, text) == 0 ? kinds[i].decode(text) : NULL;
        ERR_clear_error();
        if (!public_half)
            return err_set(err, ERR_INTERNAL, "cannot encode the public half of the key");
        return key_make(&kinds[i], public_half, text, NULL, ret, err);
    }
    return err_set(err, ERR_INVALID, "keys of this kind are not supported: use ed25519 or P-256");
}

json_t *key_to_json(const struct key *k)
{
    return json_pack("{s:s, s:{s:s}, s:s}", "keytype", k->kind->keytype, "keyval", "public",
                     k->public_text, "scheme", k->kind->scheme);
}

void key_free(struct key *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->pkey);
    free(k->id);
    free(k->public_text);
    free(k);
}

const char *key_id(const struct key *k)
{
    return k->id;
}

const EVP_MD *key_digest(const struct key *k)
{
    return k->kind->digest ? k->kind->digest() : NULL;
}

int key_verify(const struct key *k, const void *data, size_t len, const char *sig_hex)
{
    unsigned char sig[KEY_SIG_BYTES_MAX];
    size_t digits = strnlen(sig_hex, KEY_SIG_MAX + 1), sig_len = 0;
    _cleanup_(EVP_MD_CTX_free_p)
    EVP_MD_CTX *ctx = NULL;
    int ok;

    if (digits == 0 || digits > KEY_SIG_MAX || digits % 2)
        return 0;
    ctx = EVP_MD_CTX_new();
    ok = ctx && OPENSSL_hexstr2buf_ex(sig, sizeof sig, &sig_len, sig_hex, '\0') == 1 &&
         EVP_DigestVerifyInit(ctx, NULL, key_digest(k), NULL, k->pkey) == 1 &&
         EVP_DigestVerify(ctx, sig, sig_len, data, len) == 1;
    ERR_clear_error(); /* a bad signature is no error of ours */
    return ok;
}

int key_same(const struct key *a, const struct key *b)
{
    return EVP_PKEY_eq(a->pkey, b->pkey) == 1;
}

int key_new_pair(const char *keytype, EVP_PKEY **ret, struct err *err)
{
    const struct key_kind *kind = kind_by_name(keytype, NULL);
    EVP_PKEY *pkey;

    if (!kind)
        return err_set(err, ERR_INVALID, "key type '%s' is unknown: use ed25519 or ecdsa", keytype);
    pkey = kind->group ? EVP_PKEY_Q_keygen(NULL, NULL, kind->evp_type, kind->group)
                       : EVP_PKEY_Q_keygen(NULL, NULL, kind->evp_type);
    ERR_clear_error();
    if (!pkey)
        return err_set(err, ERR_INTERNAL, "OpenSSL cannot make a key of type '%s'", keytype);
    *ret = pkey;
    return 0;
}
