/* signer_file: private keys in PKCS#8 PEM files, see key.h. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "tuf/signer_internal.h"

#define PEM_MAX        65536
#define PASSPHRASE_MAX 1024

/* scrypt's cost: 16 MiB, the most that OpenSSL reads back without being told to allow more. */
#define SCRYPT_N 16384
#define SCRYPT_R 8
#define SCRYPT_P 1

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

static int read_private(const char *path, const char *passphrase, EVP_PKEY **ret, struct err *err)
{
    struct buf pem;
    int r;

    buf_init(&pem, PEM_MAX);
    r = file_read_secret(path, &pem, err);
    if (r == 0)
        r = parse_private(&pem, path, passphrase, ret, err);
    if (pem.len)
        OPENSSL_cleanse(pem.data, pem.len);
    buf_release(&pem);
    return r;
}

static int open_file(const char *path, const char *passphrase, struct signer *s, struct err *err)
{
    int r = read_private(path, passphrase, &s->pkey, err);

    if (r < 0)
        return r;
    return err_context(err, key_from_pkey(s->pkey, &s->key, err), "key file '%s'", path);
}

static int sign_with_file(const struct signer *s, const void *data, size_t len,
                          char ret_hex[KEY_SIG_MAX + 1], struct err *err)
{
    int r = signer_sign_with(s->key, s->pkey, data, len, ret_hex, err);

    ERR_clear_error();
    return r;
}

const struct signer_kind signer_kind_file = {"", open_file, sign_with_file};

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

static int check_passphrase(const char *passphrase, struct err *err)
{
    if (!passphrase || (*passphrase && strlen(passphrase) <= PASSPHRASE_MAX))
        return 0;
    return err_set(err, ERR_INVALID, "passphrase is empty or longer than %d bytes", PASSPHRASE_MAX);
}

/* Take the name first, so that of two who want it one is told; a crash leaves an empty file. */
static int write_new(const char *path, EVP_PKEY *pkey, const char *passphrase, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), r;

    if (fd < 0 && errno == EEXIST)
        return err_set(err, ERR_EXISTS, "'%s' exists; a key is never overwritten", path);
    if (fd < 0)
        return err_errno(err, errno, "create '%s'", path);
    close(fd);
    r = write_private(path, pkey, passphrase, err);
    if (r < 0)
        unlink(path);
    return r;
}

int key_generate(const char *type, const char *path, const char *passphrase, struct key **ret_pub,
                 struct err *err)
{
    _cleanup_(EVP_PKEY_free_p)
    EVP_PKEY *pkey = NULL;
    _cleanup_(key_free_p)
    struct key *pub = NULL;
    int r;

    if ((r = check_passphrase(passphrase, err)) < 0 || (r = key_new_pair(type, &pkey, err)) < 0 ||
        (r = key_from_pkey(pkey, &pub, err)) < 0 ||
        (r = write_new(path, pkey, passphrase, err)) < 0)
        return r;
    if (ret_pub)
        *ret_pub = take_ptr(pub);
    return 0;
}

/* Overwrite what was replaced, where no other name keeps it. Best effort: a file system may have
 * written elsewhere, so that a passphrase that leaked still means a new key. */
static void wipe_replaced(int fd)
{
    static const char zeros[4096];
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_nlink > 0)
        return;
    for (off_t at = 0; at < st.st_size; at += (off_t)sizeof zeros) {
        size_t n = st.st_size - at < (off_t)sizeof zeros ? (size_t)(st.st_size - at) : sizeof zeros;

        if (pwrite(fd, zeros, n, at) < 0)
            return;
    }
    (void)fsync(fd);
}

int key_change_passphrase(const char *path, const char *old_passphrase, const char *new_passphrase,
                          struct key **ret_pub, struct err *err)
{
    _cleanup_(EVP_PKEY_free_p)
    EVP_PKEY *pkey = NULL;
    _cleanup_(key_free_p)
    struct key *pub = NULL;
    _cleanup_(free_p)
    char *real = realpath(path, NULL); /* a link stays one; the key behind it changes */
    _cleanup_(close_p)
    int replaced = -1;
    int r;

    if (!real)
        return err_errno(err, errno, "key file '%s'", path);
    if ((r = check_passphrase(new_passphrase, err)) < 0 ||
        (r = read_private(real, old_passphrase, &pkey, err)) < 0 ||
        (r = key_from_pkey(pkey, &pub, err)) < 0)
        return r;
    replaced = open(real, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    r = write_private(real, pkey, new_passphrase, err);
    if (r < 0)
        return r;
    wipe_replaced(replaced);
    if (ret_pub)
        *ret_pub = take_ptr(pub);
    return 0;
}
