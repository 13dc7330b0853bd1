/*
 * httpsig: see httpsig.h. The grammar, of which nothing may deviate:
 *
 *   Signature-Input = `fb=` params
 *   params          = `("@method" "@path" "content-digest");created=` number
 *                     `;keyid="` device `:` number `";alg="hmac-sha256"`
 *   device          = 32 lowercase hexadecimal digits
 *   number          = "0" | digit 1-9, then at most 14 digits
 *   Signature       = `fb=:` base64 `:`                  ; of 32 bytes, with padding
 *   Content-Digest  = `sha-256=:` base64 `:`             ; the same
 *
 * The signature base (RFC 9421, section 2.5), lines joined by a newline, none at its end:
 *
 *   "@method": POST
 *   "@path": /api/v1/checkin
 *   "content-digest": sha-256=:...:
 *   "@signature-params": <params>
 */
#include "httpsig.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

#define LABEL      "fb="
#define COMPONENTS "(\"@method\" \"@path\" \"content-digest\");created="
#define KEYID      ";keyid=\""
#define ALG        "\";alg=\"hmac-sha256\""
#define NUMBER_MAX INT64_C(999999999999999) /* RFC 8941: fifteen digits */
#define BASE_MAX   4096

struct params {
    char device[DEVICE_ID_LEN + 1];
    int64_t generation, created_s;
};

/* Move *s past a literal, or fail. */
static int eat(const char **s, const char *literal)
{
    size_t n = strlen(literal);

    if (strncmp(*s, literal, n) != 0)
        return -1;
    *s += n;
    return 0;
}

static int eat_number(const char **s, int64_t *ret)
{
    size_t n = strspn(*s, "0123456789");
    int64_t v = 0;

    if (n == 0 || n > 15 || (n > 1 && **s == '0'))
        return -1;
    for (size_t i = 0; i < n; i++)
        v = v * 10 + ((*s)[i] - '0');
    *s += n;
    *ret = v;
    return 0;
}

static int eat_device(const char **s, char ret[DEVICE_ID_LEN + 1])
{
    if (strnlen(*s, DEVICE_ID_LEN) < DEVICE_ID_LEN)
        return -1;
    memcpy(ret, *s, DEVICE_ID_LEN);
    ret[DEVICE_ID_LEN] = '\0';
    *s += DEVICE_ID_LEN;
    return hex_is(ret, DEVICE_ID_LEN) ? 0 : -1;
}

static int parse_input(const char *s, struct params *ret, struct err *err)
{
    if (!s || !*s)
        return err_set(err, ERR_BAD_SIGNATURE, "the request is not signed: no signature-input");
    if (eat(&s, LABEL COMPONENTS) < 0 || eat_number(&s, &ret->created_s) < 0 ||
        eat(&s, KEYID) < 0 || eat_device(&s, ret->device) < 0 || eat(&s, ":") < 0 ||
        eat_number(&s, &ret->generation) < 0 || eat(&s, ALG) < 0 || *s)
        return err_set(err, ERR_BAD_SIGNATURE, "signature-input is not of the agreed form");
    return 0;
}

/* "<prefix>:<base64>:" ; ret is large enough for what is asked here. */
static void format_bytes(const char *prefix, const uint8_t raw[SHA256_LEN], char *ret, size_t size)
{
    unsigned char text[4 * ((SHA256_LEN + 2) / 3) + 1];

    EVP_EncodeBlock(text, raw, SHA256_LEN);
    snprintf(ret, size, "%s:%s:", prefix, (const char *)text);
}

static void digest_header(const void *body, size_t len, char *ret, size_t size)
{
    uint8_t raw[SHA256_LEN];

    sha256(body, len, raw);
    format_bytes("sha-256=", raw, ret, size);
}

/* Visible ASCII: no byte of it may begin a line of its own in the signature base. */
static int is_plain(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f)
            return 0;
    return 1;
}

static int signature_header(const char *method, const char *path, const char *content_digest,
                            const char *params, const uint8_t key[SHA256_LEN], char *ret,
                            size_t size)
{
    uint8_t mac[SHA256_LEN];
    struct buf base;
    int r = -ERR_INVALID;

    buf_init(&base, BASE_MAX);
    if (*method && is_plain(method) && *path == '/' && is_plain(path))
        r = buf_addf(&base,
                     "\"@method\": %s\n\"@path\": %s\n\"content-digest\": %s\n"
                     "\"@signature-params\": %s",
                     method, path, content_digest, params);
    if (r == 0) {
        const struct hmac_part part = {base.data, base.len};

        hmac_sha256(key, SHA256_LEN, &part, 1, mac);
        format_bytes(LABEL, mac, ret, size);
    }
    buf_release(&base);
    return r;
}

int httpsig_sign(const char *method, const char *path, const void *body, size_t len,
                 const char *device, int64_t generation, const uint8_t key[SHA256_LEN],
                 int64_t created_s, struct httpsig_headers *ret, struct err *err)
{
    struct httpsig_headers h;
    int r;

    if (!hex_is(device, DEVICE_ID_LEN) || generation < 0 || generation > NUMBER_MAX)
        return err_set(err, ERR_INVALID, "device id or generation is not one that can sign");
    /* A clock before 1970 is a wrong clock, and a wrong clock is no reason not to report. */
    created_s = created_s < 0 ? 0 : created_s > NUMBER_MAX ? NUMBER_MAX : created_s;
    digest_header(body, len, h.content_digest, sizeof h.content_digest);
    snprintf(h.signature_input, sizeof h.signature_input,
             LABEL COMPONENTS "%" PRId64 KEYID "%s:%" PRId64 ALG, created_s, device, generation);
    r = signature_header(method, path, h.content_digest, h.signature_input + strlen(LABEL), key,
                         h.signature, sizeof h.signature);
    if (r < 0)
        return err_set(err, (enum err_code) - r, "cannot sign: bad method or path '%.100s'", path);
    *ret = h;
    return 0;
}

int httpsig_key_id(const char *signature_input, char ret_device[DEVICE_ID_LEN + 1],
                   int64_t *ret_generation, struct err *err)
{
    struct params p = {0};
    int r = parse_input(signature_input, &p, err);

    if (r < 0)
        return r;
    memcpy(ret_device, p.device, sizeof p.device);
    *ret_generation = p.generation;
    return 0;
}

int httpsig_verify(const char *method, const char *path, const void *body, size_t len,
                   const struct httpsig_headers *h, const uint8_t key[SHA256_LEN], struct err *err)
{
    struct httpsig_headers want = {0};
    struct params p = {0};
    int r = parse_input(h->signature_input, &p, err);

    if (r < 0)
        return r;
    digest_header(body, len, want.content_digest, sizeof want.content_digest);
    if (strcmp(want.content_digest, h->content_digest) != 0)
        return err_set(err, ERR_BAD_SIGNATURE,
                       h->content_digest[0] ? "content-digest is not that of the body"
                                            : "the request is not signed: no content-digest");
    if (signature_header(method, path, want.content_digest, h->signature_input + strlen(LABEL), key,
                         want.signature, sizeof want.signature) < 0)
        return err_set(err, ERR_BAD_SIGNATURE, "method or path is not one that can be signed");
    if (strlen(want.signature) != strlen(h->signature) ||
        !mem_equal(want.signature, h->signature, strlen(want.signature)))
        return err_set(err, ERR_BAD_SIGNATURE,
                       h->signature[0] ? "signature does not fit key and request"
                                       : "the request is not signed: no signature");
    return 0;
}
