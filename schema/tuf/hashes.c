/* hashes: see hashes.h. */
#include "tuf/hashes.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/jsonx.h"

#define SHA512_LEN (SHA512_HEX_LEN / 2)

int hashes_read(const json_t *o, const char *what, char ret_sha256[65],
                char ret_sha512[SHA512_HEX_LEN + 1], struct err *err)
{
    char sha256[SHA256_HEX_LEN + 1] = "", sha512[SHA512_HEX_LEN + 1] = "";
    json_t *hashes;
    int r = jsonx_object(o, what, "hashes", &hashes, err);

    if (r == 0 && json_object_get(hashes, "sha256"))
        r = jsonx_sha256(hashes, what, "sha256", sha256, err);
    if (r == 0 && json_object_get(hashes, "sha512")) {
        r = jsonx_copy(hashes, what, "sha512", sha512, sizeof sha512, err);
        if (r == 0 && !hex_is(sha512, SHA512_HEX_LEN))
            r = err_set(err, ERR_INVALID, "%s: 'sha512' is not %d hexadecimal digits", what,
                        SHA512_HEX_LEN);
    }
    if (r < 0)
        return r;
    memcpy(ret_sha256, sha256, sizeof sha256);
    memcpy(ret_sha512, sha512, sizeof sha512);
    return 0;
}

static void sha512_hex(const void *data, size_t len, char ret[SHA512_HEX_LEN + 1])
{
    unsigned char raw[SHA512_LEN];

    if (EVP_Digest(data, len, raw, NULL, EVP_sha512(), NULL) != 1)
        abort(); /* as SHA-256: only without memory */
    hex_encode(raw, sizeof raw, ret);
}

bool hashes_match(const char *sha256, const char *sha512, const void *data, size_t len)
{
    char hash[SHA512_HEX_LEN + 1];

    if (*sha256) {
        sha256_hex(data, len, hash);
        if (strcmp(hash, sha256))
            return false;
    }
    if (*sha512) {
        sha512_hex(data, len, hash);
        if (strcmp(hash, sha512))
            return false;
    }
    return *sha256 || *sha512;
}
