/* fuzz_manifest: what is let in is dumped and read back as it was; no file can leave the tree or
 * stand in another's way. */
#include "fuzz.h"

#include <string.h>

#include "base/hex.h"
#include "manifest.h"

static void check_files(const struct manifest *m)
{
    struct err err = {0};
    int64_t total = 0;

    FUZZ_CHECK(m->n_files > 0 && m->n_files <= MANIFEST_MAX_FILES);
    for (size_t i = 0; i < m->n_files; i++) {
        const struct manifest_file *f = &m->files[i];

        FUZZ_CHECK(path_check(f->path, &err) == 0);
        FUZZ_CHECK(f->mode == 0644 || f->mode == 0755);
        FUZZ_CHECK(f->length >= 0 && f->length <= MANIFEST_FILE_MAX);
        FUZZ_CHECK(hex_is(f->sha256, SHA256_HEX_LEN));
        FUZZ_CHECK(i == 0 || strcmp(m->files[i - 1].path, f->path) < 0);
        total += f->length;
    }
    FUZZ_CHECK(manifest_total_bytes(m) == total);
}

/* The plain way to say what manifest_parse finds by sorting: on a file system that does not tell
 * case apart, no path is another one or a folder of it. */
static void check_clashes(const struct manifest *m)
{
    for (size_t i = 0; i < m->n_files && i < 64; i++)
        for (size_t k = 0; k < m->n_files && k < 64; k++) {
            size_t n = strlen(m->files[i].path);
            char next = i == k || strncasecmp(m->files[i].path, m->files[k].path, n) != 0
                            ? 'x'
                            : m->files[k].path[n];

            FUZZ_CHECK(next != '\0' && next != '/');
        }
}

static void check_round_trip(const struct manifest *m, const uint8_t *data, size_t len)
{
    struct manifest *again = NULL;
    struct buf first, second;
    struct err err = {0};

    buf_init(&first, FUZZ_TEXT_MAX);
    buf_init(&second, FUZZ_TEXT_MAX);
    FUZZ_CHECK(fuzz_ok(manifest_dump(m, &first, &err), &err) == !m->unknown_critical[0]);
    if (!m->unknown_critical[0]) {
        FUZZ_CHECK(fuzz_ok(manifest_parse(first.data, first.len, &again, &err), &err));
        FUZZ_CHECK(manifest_dump(again, &second, &err) == 0);
        fuzz_same(first.data, second.data);
        fuzz_adds_nothing(&first, data, len);
    }
    manifest_free(again);
    buf_release(&first);
    buf_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct manifest *m = NULL;
    struct err err = {0};
    char digest[SHA256_HEX_LEN + 1];

    if (!fuzz_ok(manifest_parse((const char *)data, len, &m, &err), &err)) {
        FUZZ_CHECK(!m);
        return 0;
    }
    sha256_hex(data, len, digest);
    fuzz_same(m->digest, digest);
    FUZZ_CHECK(channel_name_check(m->channel, &err) == 0);
    FUZZ_CHECK(release_version_check(m->version, &err) == 0);
    FUZZ_CHECK(m->lowest_sequence >= 0 && m->lowest_sequence <= m->sequence);
    check_files(m);
    check_clashes(m);
    check_round_trip(m, data, len);
    manifest_free(m);
    return 0;
}
