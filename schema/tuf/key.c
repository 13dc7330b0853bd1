/* key: see key.h. */
#include "tuf/key.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/hex.h"
#include "base/jsonx.h"
#include "tuf/canon.h"
#include "tuf/key_internal.h"

#define ED25519_LEN     32
#define PUBLIC_TEXT_MAX 2048 /* longest "public" of a supported key: RSA with KEY_RSA_BITS_MAX */
#define PEM_NAME        "PUBLIC KEY"
#define SPACE           " \t\r\n"

/* What differs between kinds of keys. To add one: one row, and codecs if its "public" is new. */
struct key_kind {
    const char *name; /* as people ask for a new one; NULL: only read, never made */
    const char *keytype;
    const char *scheme;
    const char *evp_type;          /* as EVP_PKEY_is_a() calls it */
    const char *group;             /* curve, as EVP_PKEY_get_group_name() calls it */
    const EVP_MD *(*digest)(void); /* NULL: the scheme hashes by itself */
    EVP_PKEY *(*decode)(const char *text);
    int (*encode)(EVP_PKEY *pkey, char ret[PUBLIC_TEXT_MAX]);
    const char *(*fault)(const EVP_PKEY *pkey); /* NULL for a sound key, else what is wrong */
};

struct key {
    const struct key_kind *kind;
    EVP_PKEY *pkey;
    char *id;
    char *public_text;
};

DEFINE_CLEANUP(BIGNUM *, BN_free)
DEFINE_CLEANUP(EVP_PKEY_CTX *, EVP_PKEY_CTX_free)

static void openssl_free_p(void *p)
{
    OPENSSL_free(*(void **)p);
}

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

/* True if text is one PEM block of this kind with nothing but white space around it. */
static bool is_one_block(const char *text)
{
    static const char begin[] = "-----BEGIN " PEM_NAME "-----",
                      end[] = "-----END " PEM_NAME "-----";
    const char *p = text + strspn(text, SPACE);

    if (strncmp(p, begin, sizeof begin - 1) != 0 || !(p = strstr(p, end)))
        return false;
    p += sizeof end - 1;
    return p[strspn(p, SPACE)] == '\0';
}

/* SubjectPublicKeyInfo in PEM, and nothing else: OpenSSL alone would look for it in any text, take
 * a private key or a certificate as well, pass over what follows, and where the block says that it
 * is encrypted ask whoever sits there for a passphrase. */
static EVP_PKEY *decode_pem(const char *text)
{
    _cleanup_(BIO_free_all_p)
    BIO *bio = is_one_block(text) ? BIO_new_mem_buf(text, -1) : NULL;
    _cleanup_(openssl_free_p)
    char *name = NULL;
    _cleanup_(openssl_free_p)
    char *header = NULL;
    _cleanup_(openssl_free_p)
    unsigned char *der = NULL;
    const unsigned char *p;
    EVP_PKEY *pkey;
    long len;

    if (!bio || PEM_read_bio(bio, &name, &header, &der, &len) != 1 || strcmp(name, PEM_NAME) != 0 ||
        *header)
        return NULL;
    p = der;
    pkey = d2i_PUBKEY(NULL, &p, len);
    if (pkey && p == der + len)
        return pkey;
    EVP_PKEY_free(pkey);
    return NULL;
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

/* Points of small order, low byte first, without the sign bit: signatures for them can be made by
 * anybody, for any bytes. The last two are second spellings. */
static const char *const ed25519_small_order[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

static const char *ed25519_fault(const EVP_PKEY *pkey)
{
    unsigned char raw[ED25519_LEN];
    char text[2 * ED25519_LEN + 1];
    size_t len = sizeof raw;

    if (EVP_PKEY_get_raw_public_key(pkey, raw, &len) != 1 || len != sizeof raw)
        return "has no public half";
    raw[ED25519_LEN - 1] &= 0x7f;
    hex_encode(raw, sizeof raw, text);
    for (size_t i = 0; i < sizeof ed25519_small_order / sizeof ed25519_small_order[0]; i++)
        if (!strcmp(text, ed25519_small_order[i]))
            return "is a point of small order";
    return NULL;
}

/* Anybody could sign for a point at infinity; parameters that are spelled out are what RFC 5480
 * forbids, and other implementations refuse. */
static const char *ec_fault(const EVP_PKEY *pkey)
{
    _cleanup_(EVP_PKEY_CTX_free_p)
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, (EVP_PKEY *)pkey, NULL);
    int spelled_out = 0;

    if (EVP_PKEY_get_int_param(pkey, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
                               &spelled_out) == 1 &&
        spelled_out)
        return "spells out the parameters of its curve";
    return ctx && EVP_PKEY_public_check_quick(ctx) == 1 ? NULL : "is not a point of its curve";
}

static const char *rsa_fault(const EVP_PKEY *pkey)
{
    int bits = EVP_PKEY_get_bits(pkey);
    _cleanup_(BN_free_p)
    BIGNUM *n = NULL;
    _cleanup_(BN_free_p)
    BIGNUM *e = NULL;

    if (bits < KEY_RSA_BITS_MIN)
        return "has fewer than 2048 bits";
    if (bits > KEY_RSA_BITS_MAX)
        return "has more than 8192 bits";
    if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) != 1 ||
        EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) != 1 || !BN_is_odd(n) ||
        !BN_is_odd(e) || BN_is_one(e))
        return "has an even or trivial modulus or exponent";
    return NULL;
}

/* The first row of an EVP type and group is the one that new keys are named by; the later names of
 * ECDSA keys are those of older repositories. */
static const struct key_kind kinds[] = {
    {"ed25519", "ed25519", "ed25519", "ED25519", NULL, NULL, decode_ed25519, encode_ed25519,
     ed25519_fault},
    {"ecdsa", "ecdsa", "ecdsa-sha2-nistp256", "EC", "prime256v1", EVP_sha256, decode_pem,
     encode_pem, ec_fault},
    {"ecdsa-p384", "ecdsa", "ecdsa-sha2-nistp384", "EC", "secp384r1", EVP_sha384, decode_pem,
     encode_pem, ec_fault},
    {"rsa", "rsa", "rsassa-pss-sha256", "RSA", NULL, EVP_sha256, decode_pem, encode_pem, rsa_fault},
    {NULL, "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", "EC", "prime256v1", EVP_sha256, decode_pem,
     encode_pem, ec_fault},
    {NULL, "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", "EC", "secp384r1", EVP_sha384, decode_pem,
     encode_pem, ec_fault},
};

#define N_KINDS (sizeof kinds / sizeof kinds[0])

static const struct key_kind *kind_of(const char *keytype, const char *scheme)
{
    for (size_t i = 0; i < N_KINDS; i++)
        if (!strcmp(kinds[i].keytype, keytype) && !strcmp(kinds[i].scheme, scheme))
            return &kinds[i];
    return NULL;
}

static const struct key_kind *kind_by_name(const char *name)
{
    for (size_t i = 0; i < N_KINDS; i++)
        if (kinds[i].name && !strcmp(kinds[i].name, name))
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

static int check_sound(const struct key_kind *kind, const EVP_PKEY *pkey, struct err *err)
{
    const char *fault = kind->fault(pkey);

    ERR_clear_error();
    if (!fault)
        return 0;
    return err_set(err, ERR_INVALID, "%s key %s", kind->keytype, fault);
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
    _cleanup_(EVP_PKEY_free_p)
    EVP_PKEY *pkey = NULL;
    json_t *keyval;
    int r;

    if (!json_is_object(o))
        return err_set(err, ERR_INVALID, "key is not a JSON object");
    if ((r = jsonx_string(o, "key", "keytype", 64, &keytype, err)) < 0 ||
        (r = jsonx_string(o, "key", "scheme", 64, &scheme, err)) < 0 ||
        (r = jsonx_object(o, "key", "keyval", &keyval, err)) < 0 ||
        (r = jsonx_string(keyval, "key", "public", PUBLIC_TEXT_MAX - 1, &text, err)) < 0)
        return r;
    kind = kind_of(keytype, scheme);
    if (!kind)
        return err_set(err, ERR_INVALID, "key type '%s' with scheme '%s' is not supported", keytype,
                       scheme);
    pkey = kind->decode(text);
    ERR_clear_error();
    if (!pkey)
        return err_set(err, ERR_INVALID, "public part of the %s key is malformed", keytype);
    if (!kind_is_of(kind, pkey))
        return err_set(err, ERR_INVALID, "public part is not a key for scheme '%s'", scheme);
    r = check_sound(kind, pkey, err);
    return r < 0 ? r : key_make(kind, take_ptr(pkey), text, id, ret, err);
}

int key_from_json(const json_t *o, struct key **ret, struct err *err)
{
    return key_from_json_as(o, NULL, ret, err);
}

/* Through its DER form, so that a public key never carries the private half along, nor an engine.
 */
static EVP_PKEY *public_half(EVP_PKEY *pkey)
{
    _cleanup_(openssl_free_p)
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(pkey, &der);
    const unsigned char *p = der;

    return len > 0 ? d2i_PUBKEY(NULL, &p, len) : NULL;
}

int key_from_pkey(EVP_PKEY *pkey, struct key **ret, struct err *err)
{
    _cleanup_(EVP_PKEY_free_p)
    EVP_PKEY *half = public_half(pkey);
    char text[PUBLIC_TEXT_MAX];
    int r;

    ERR_clear_error();
    if (!half)
        return err_set(err, ERR_INVALID, "the key has no public half");
    for (size_t i = 0; i < N_KINDS; i++) {
        if (!kind_is_of(&kinds[i], half))
            continue;
        r = check_sound(&kinds[i], half, err);
        if (r < 0)
            return r;
        if (kinds[i].encode(half, text) < 0)
            return err_set(err, ERR_INTERNAL, "cannot encode the public half of the key");
        return key_make(&kinds[i], take_ptr(half), text, NULL, ret, err);
    }
    return err_set(err, ERR_INVALID,
                   "keys of this kind are not supported: use ed25519, P-256, P-384 or RSA");
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

int key_begin(const struct key *k, EVP_MD_CTX *ctx, EVP_PKEY *private_half)
{
    const EVP_MD *md = k->kind->digest ? k->kind->digest() : NULL;
    EVP_PKEY_CTX *pctx = NULL;
    int r = private_half ? EVP_DigestSignInit(ctx, &pctx, md, NULL, private_half)
                         : EVP_DigestVerifyInit(ctx, &pctx, md, NULL, k->pkey);

    if (r == 1 && !strcmp(k->kind->evp_type, "RSA"))
        r = EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1 &&
            EVP_PKEY_CTX_set_rsa_mgf1_md(pctx, md) == 1;
    return r == 1 ? 0 : -1;
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
         key_begin(k, ctx, NULL) == 0 && EVP_DigestVerify(ctx, sig, sig_len, data, len) == 1;
    ERR_clear_error(); /* a bad signature is no error of ours */
    return ok;
}

int key_same(const struct key *a, const struct key *b)
{
    return EVP_PKEY_eq(a->pkey, b->pkey) == 1;
}

int key_type_check(const char *type, struct err *err)
{
    if (kind_by_name(type))
        return 0;
    err_set(err, ERR_INVALID, "key type '%.32s' is unknown", type);
    return err_remedy(err, "use " KEY_TYPES);
}

int key_new_pair(const char *name, EVP_PKEY **ret, struct err *err)
{
    const struct key_kind *kind = kind_by_name(name);
    EVP_PKEY *pkey;

    if (!kind)
        return key_type_check(name, err);
    if (kind->group)
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, kind->evp_type, kind->group);
    else if (kind->fault == rsa_fault)
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, kind->evp_type, (size_t)KEY_RSA_BITS_NEW);
    else
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, kind->evp_type);
    ERR_clear_error();
    if (!pkey)
        return err_set(err, ERR_INTERNAL, "OpenSSL cannot make a key of type '%s'", name);
    *ret = pkey;
    return 0;
}
