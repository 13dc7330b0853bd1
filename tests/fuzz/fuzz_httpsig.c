/*
 * fuzz_httpsig: who signed a request, and whether. Lines of the input: method, path,
 * signature-input, signature, content-digest; the rest is the body.
 */
#include "fuzz.h"

#include <string.h>

#include "httpsig.h"

static const uint8_t key[SHA256_LEN] = "thirty-two bytes of a device key";

struct request {
    char method[32], path[256];
    struct httpsig_headers headers;
    const uint8_t *body;
    size_t body_len;
};

/* The next line, cut to what fits; as in HTTP, no NUL is in it. */
static void take_line(const uint8_t **data, size_t *len, char *ret, size_t size)
{
    const uint8_t *end = memchr(*data, '\n', *len);
    size_t n = end ? (size_t)(end - *data) : *len;
    size_t kept = n < size ? n : size - 1;

    memcpy(ret, *data, kept);
    ret[kept] = '\0';
    *data += n + !!end;
    *len -= n + !!end;
}

static struct request split(const uint8_t *data, size_t len)
{
    struct request rq;

    take_line(&data, &len, rq.method, sizeof rq.method);
    take_line(&data, &len, rq.path, sizeof rq.path);
    take_line(&data, &len, rq.headers.signature_input, sizeof rq.headers.signature_input);
    take_line(&data, &len, rq.headers.signature, sizeof rq.headers.signature);
    take_line(&data, &len, rq.headers.content_digest, sizeof rq.headers.content_digest);
    rq.body = data;
    rq.body_len = len;
    return rq;
}

static int sign(const struct request *rq, const char *device, int64_t generation, int64_t created_s,
                struct httpsig_headers *ret, struct err *err)
{
    return httpsig_sign(rq->method, rq->path, rq->body, rq->body_len, device, generation, key,
                        created_s, ret, err);
}

static int verify(const struct request *rq, const struct httpsig_headers *h, struct err *err)
{
    return httpsig_verify(rq->method, rq->path, rq->body, rq->body_len, h, key, err);
}

/* A request that is let in is, byte for byte, the one that we would have made. */
static void check_given(const struct request *rq, const char *device, int64_t generation)
{
    const char *created = strstr(rq->headers.signature_input, ";created=");
    struct httpsig_headers ours;
    struct err err = {0};

    FUZZ_CHECK(created);
    if (!fuzz_ok(sign(rq, device, generation, atoll(created + strlen(";created=")), &ours, &err),
                 &err))
        return;
    fuzz_same(ours.signature_input, rq->headers.signature_input); /* one spelling only */
    if (fuzz_ok(verify(rq, &rq->headers, &err), &err)) {
        fuzz_same(ours.signature, rq->headers.signature);
        fuzz_same(ours.content_digest, rq->headers.content_digest);
    }
}

/* What we sign is let in, and nothing else is under that signature. */
static void check_signed(const struct request *rq)
{
    static const char device[] = "00112233445566778899aabbccddeeff";
    struct request other = *rq;
    struct httpsig_headers h, changed;
    struct err err = {0};

    if (!fuzz_ok(sign(rq, device, 3, 1700000000, &h, &err), &err))
        return;
    FUZZ_CHECK(verify(rq, &h, &err) == 0);
    other.body_len = rq->body_len ? rq->body_len - 1 : 0;
    FUZZ_CHECK(other.body_len == rq->body_len || verify(&other, &h, &err) == -ERR_BAD_SIGNATURE);
    other = *rq;
    other.method[0] ^= 1;
    FUZZ_CHECK(verify(&other, &h, &err) == -ERR_BAD_SIGNATURE);
    changed = h;
    memcpy(strstr(changed.signature_input, ":3\""), ":4\"", 3);
    FUZZ_CHECK(verify(rq, &changed, &err) == -ERR_BAD_SIGNATURE);
    changed = h;
    changed.signature[0] = '\0';
    FUZZ_CHECK(verify(rq, &changed, &err) == -ERR_BAD_SIGNATURE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct request rq = split(data, len);
    char device[DEVICE_ID_LEN + 1];
    struct err err = {0};
    int64_t generation;

    if (fuzz_ok(httpsig_key_id(rq.headers.signature_input, device, &generation, &err), &err)) {
        FUZZ_CHECK(hex_is(device, DEVICE_ID_LEN) && generation >= 0);
        check_given(&rq, device, generation);
    } else {
        FUZZ_CHECK(verify(&rq, &rq.headers, &err) == -ERR_BAD_SIGNATURE);
    }
    check_signed(&rq);
    return 0;
}
