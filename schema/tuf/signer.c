/* signer: private keys, see key.h. A kind of signer is a prefix of its reference and a way to sign.
 */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/jsonx.h"
#include "tuf/key_internal.h"
#include "tuf/signer_cmd.h"

#define PEM_MAX        65536
#define PASSPHRASE_MAX 1024
#define CMD_OUTPUT_MAX 4096

/* scrypt's cost: 16 MiB, the most that OpenSSL reads back without being told to allow more. */
#define SCRYPT_N 16384
#define SCRYPT_R 8
#define SCRYPT_P 1

struct signer {
    struct key *key;
    EVP_PKEY *pkey; /* a key in a file */
    char *command;  /* or a program */
};

DEFINE_CLEANUP(PKCS8_PRIV_KEY_INFO *, PKCS8_PRIV_KEY_INFO_free)
DEFINE_CLEANUP(X509_SIG *, X509_SIG_free)

/* What OpenSSL asks us for; remembered so that the cause can be named. */
struct passphrase {
    const char *text;
    bool asked;
};

static int give_passphrase(char *ret, int size, int rwflag, void *ctx)
{
    struct passphrase *p = ctx;
    size_t n = p->text ? strlen(p->text) : 0;

    (void)rwflag;
    p->asked = true;
    if (!p->text || n > (size_t)size)
        return -1; /* never a prompt */
    memcpy(ret, p->text, n);
    return (int)n;
}

static int parse_private(const struct buf *pem, const char *path, const char *passphrase,
                         EVP_PKEY **ret, struct err *err)
{
    struct passphrase p = {.text = passphrase};
    _cleanup_(BIO_free_all_p)
    BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, &p) : NULL;

    ERR_clear_error();
    if (pkey) {
        *ret = pkey;
        return 0;
    }
    if (p.asked && !passphrase) {
        err_set(err, ERR_REFUSED, "key file '%s' is encrypted and no passphrase was given", path);
        return err_remedy(err, "give the passphrase with --passphrase-file");
    }
    if (p.asked) {
        err_set(err, ERR_REFUSED, "wrong passphrase for key file '%s'", path);
        return err_remedy(err, "give the right passphrase with --passphrase-file");
    }
    return err_set(err, ERR_INVALID, "'%s' holds no private key in PKCS#8 PEM form", path);
}

static int open_file(const char *path, const char *passphrase, struct signer *s, struct err *err)
{
    struct buf pem;
    int r;

    buf_init(&pem, PEM_MAX);
    r = file_read_secret(path, &pem, err);
    if (r == 0)
        r = parse_private(&pem, path, passphrase, &s->pkey, err);
    if (pem.len)
        OPENSSL_cleanse(pem.data, pem.len);
    buf_release(&pem);
    if (r < 0)
        return r;
    return err_context(err, key_from_pkey(s->pkey, &s->key, err), "key file '%s'", path);
}

static int open_command(const char *path, const char *passphrase, struct signer *s, struct err *err)
{
    json_auto_t *o = NULL;
    struct buf out;
    int r;

    (void)passphrase; /* the program has its own way to its key */
    s->command = strdup(path);
    if (!s->command)
        return err_set(err, ERR_NOMEM, "out of memory");
    buf_init(&out, CMD_OUTPUT_MAX);
    r = signer_cmd_run(path, "public", "", 0, SIGNER_CMD_DEADLINE_MS, &out, err);
    if (r == 0)
        r = jsonx_parse(out.data, out.len, CMD_OUTPUT_MAX, &o, err);
    if (r == 0)
        r = key_from_json(o, &s->key, err);
    buf_release(&out);
    return err_context(err, r, "public key of signer '%s'", path);
}

static int open_pkcs11(const char *uri, const char *passphrase, struct signer *s, struct err *err)
{
    (void)passphrase;
    (void)s;
    err_set(err, ERR_USAGE, "PKCS#11 tokens are not supported yet ('pkcs11:%.128s')", uri);
    return err_remedy(err, "use a key file, or cmd:PATH with a program that asks the token");
}

/* To add a kind of signer: one row; the row without prefix is a file. */
static const struct signer_kind {
    const char *prefix;
    int (*open)(const char *rest, const char *passphrase, struct signer *s, struct err *err);
} kinds[] = {
    {"cmd:", open_command},
    {"pkcs11:", open_pkcs11},
    {"", open_file},
};

int signer_open(const char *ref, const char *passphrase, struct signer **ret, struct err *err)
{
    _cleanup_(signer_free_p)
    struct signer *s = calloc(1, sizeof *s);
    const struct signer_kind *kind = kinds;
    int r;

    if (!s)
        return err_set(err, ERR_NOMEM, "out of memory");
    while (strncmp(ref, kind->prefix, strlen(kind->prefix)))
        kind++;
    r = kind->open(ref + strlen(kind->prefix), passphrase, s, err);
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
    free(s->command);
    free(s);
}

const struct key *signer_key(const struct signer *s)
{
    return s->key;
}

static int sign_with_file(const struct signer *s, const void *data, size_t len,
                          char ret_hex[KEY_SIG_MAX + 1], struct err *err)
{
    unsigned char sig[KEY_SIG_BYTES_MAX];
    size_t sig_len = sizeof sig;
    _cleanup_(EVP_MD_CTX_free_p)
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = ctx && key_begin(s->key, ctx, s->pkey) == 0 &&
             EVP_DigestSign(ctx, sig, &sig_len, data, len) == 1;

    ERR_clear_error();
    if (!ok)
        return err_set(err, ERR_INTERNAL, "OpenSSL cannot sign with key '%s'", key_id(s->key));
    hex_encode(sig, sig_len, ret_hex);
    return 0;
}

static int sign_with_command(const struct signer *s, const void *data, size_t len,
                             char ret_hex[KEY_SIG_MAX + 1], struct err *err)
{
    struct buf out;
    size_t n;
    int r;

    buf_init(&out, KEY_SIG_MAX + 2); /* room for a line end */
    r = signer_cmd_run(s->command, NULL, data, len, SIGNER_CMD_DEADLINE_MS, &out, err);
    if (r == 0) {
        n = strcspn(out.data, "\r\n");
        if (n > KEY_SIG_MAX)
            r = err_set(err, ERR_TOO_LARGE, "signer command '%s' printed too much", s->command);
        else {
            memcpy(ret_hex, out.data, n);
            ret_hex[n] = '\0';
        }
    }
    buf_release(&out);
    return r;
}

int signer_sign(const struct signer *s, const void *data, size_t len, char ret_hex[KEY_SIG_MAX + 1],
                struct err *err)
{
    char hex[KEY_SIG_MAX + 1];
    int r = s->command ? sign_with_command(s, data, len, hex, err)
                       : sign_with_file(s, data, len, hex, err);

    if (r < 0)
        return r;
    if (!key_verify(s->key, data, len, hex)) /* found here, not by a fleet */
        return err_set(err, ERR_UNTRUSTED, "signer made a signature that its key '%s' refuses",
                       key_id(s->key));
    strcpy(ret_hex, hex);
    return 0;
}

/* PKCS#8 with scrypt and AES-256. */
static int write_encrypted(BIO *bio, EVP_PKEY *pkey, const char *passphrase)
{
    _cleanup_(PKCS8_PRIV_KEY_INFO_free_p)
    PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(pkey);
    _cleanup_(X509_SIG_free_p)
    X509_SIG *sealed = NULL;
    X509_ALGOR *pbe =
        PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), NULL, 16, NULL, SCRYPT_N, SCRYPT_R, SCRYPT_P);

    if (plain && pbe)
        sealed = PKCS8_set0_pbe(passphrase, (int)strlen(passphrase), plain, pbe);
    if (!sealed) {
        X509_ALGOR_free(pbe);
        return -1;
    }
    return PEM_write_bio_PKCS8(bio, sealed) == 1 ? 0 : -1;
}

static int write_private(const char *path, EVP_PKEY *pkey, const char *passphrase, struct err *err)
{
    _cleanup_(BIO_free_all_p)
    BIO *bio = BIO_new(BIO_s_secmem());
    char *pem;
    long len;
    int r;

    if (!bio)
        return err_set(err, ERR_NOMEM, "out of memory");
    r = passphrase ? write_encrypted(bio, pkey, passphrase)
        : PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) == 1 ? 0
                                                                                   : -1;
    ERR_clear_error();
    len = BIO_get_mem_data(bio, &pem);
    if (r < 0 || len <= 0)
        return err_set(err, ERR_INTERNAL, "OpenSSL cannot encode the private key");
    return file_write_durable(path, pem, (size_t)len, 0600, err);
}

int key_generate(const char *type, const char *path, const char *passphrase, struct key **ret_pub,
                 struct err *err)
{
    _cleanup_(EVP_PKEY_free_p)
    EVP_PKEY *pkey = NULL;
    _cleanup_(key_free_p)
    struct key *pub = NULL;
    int r;

    if (passphrase && (!*passphrase || strlen(passphrase) > PASSPHRASE_MAX))
        return err_set(err, ERR_INVALID, "passphrase is empty or longer than %d bytes",
                       PASSPHRASE_MAX);
    if (file_exists(path))
        return err_set(err, ERR_EXISTS, "'%s' exists; a key is never overwritten", path);
    if ((r = key_new_pair(type, &pkey, err)) < 0 || (r = key_from_pkey(pkey, &pub, err)) < 0 ||
        (r = write_private(path, pkey, passphrase, err)) < 0)
        return r;
    if (ret_pub)
        *ret_pub = take_ptr(pub);
    return 0;
}
