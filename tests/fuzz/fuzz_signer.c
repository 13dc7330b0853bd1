/* fuzz_signer: see fuzz_signer.h. */
#include "fuzz_signer.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fuzz.h"
#include "tuf/canon.h"

/* Published test vectors: they protect nothing. */
static const char *const private_keys[FUZZ_SIGNERS] = {
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g",
    "MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7",
};

/* A signer comes from a file, so for a moment there is one. */
static struct signer *open_key(const char *base64)
{
    char dir[] = "/tmp/fb-fuzz-XXXXXX";
    struct signer *s = NULL;
    struct err err = {0};
    char *path;
    FILE *f;

    FUZZ_CHECK(mkdtemp(dir));
    path = path_join(dir, "key");
    FUZZ_CHECK(path && (f = fopen(path, "w")));
    FUZZ_CHECK(fchmod(fileno(f), 0600) == 0);
    fprintf(f, "-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n", base64);
    FUZZ_CHECK(fclose(f) == 0);
    if (signer_open(path, NULL, &s, &err) < 0)
        fprintf(stderr, "%s\n", err.msg);
    unlink(path);
    rmdir(dir);
    free(path);
    FUZZ_CHECK(s);
    return s;
}

const struct signer *fuzz_signer(size_t i)
{
    static struct signer *opened[FUZZ_SIGNERS]; /* a target has no context to keep it in */

    if (!opened[i])
        opened[i] = open_key(private_keys[i]);
    return opened[i];
}

int fuzz_is_signed_by(const json_t *envelope, const struct key *k)
{
    json_t *signatures = json_object_get(envelope, "signatures"), *o;
    struct err err = {0};
    struct buf data;
    int found = 0;
    size_t i;

    buf_init(&data, FUZZ_TEXT_MAX);
    if (canon_write(json_object_get(envelope, "signed"), &data, &err) == 0)
        json_array_foreach (signatures, i, o) {
            const char *id = json_string_value(json_object_get(o, "keyid"));
            const char *sig = json_string_value(json_object_get(o, "sig"));

            found |= id && sig && !strcmp(id, key_id(k)) && key_verify(k, data.data, data.len, sig);
        }
    buf_release(&data);
    return found;
}

json_t *fuzz_unsigned(const json_t *envelope)
{
    json_t *copy = json_deep_copy(envelope);

    FUZZ_CHECK(copy);
    json_object_set_new(copy, "signatures", json_array());
    return copy;
}
