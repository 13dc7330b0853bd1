/* fuzz_metadata: TUF role metadata of all four types. What is let in can be asked everything, is
 * one type only, and means the same after it was written again. */
#include "fuzz.h"

#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "tuf/canon.h"
#include "tuf/client.h"
#include "tuf/metadata.h"

#define N_ASKED 16 /* most items of a list that are asked about, to stay fast */

static const char *const roles[] = {"root", "timestamp", "snapshot", "targets"};

static void check_keys(int r, struct key_set *set, const struct err *err)
{
    if (!fuzz_ok(r, err))
        return;
    FUZZ_CHECK(set->threshold >= 1);
    for (size_t i = 0; i < set->n_keys; i++)
        for (size_t k = 0; k < i; k++)
            FUZZ_CHECK(strcmp(key_id(set->keys[i]), key_id(set->keys[k])) != 0);
    key_set_release(set);
}

static void ask_root(const struct metadata *m)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        struct err err = {0};
        struct key_set set;
        int r = metadata_root_keys(m, roles[i], &set, &err);

        FUZZ_CHECK(r == 0);
        check_keys(r, &set, &err);
    }
}

static void ask_meta(const struct metadata *m)
{
    json_t *meta = json_object_get(m->body, "meta"), *o;
    const char *file;

    json_object_foreach (meta, file, o) {
        char name[TUF_ROLE_NAME_MAX];
        struct err err = {0};
        struct meta_ref ref;
        size_t len = strlen(file);

        if (len < 5 || len - 5 >= sizeof name || strcmp(file + len - 5, ".json") != 0)
            continue;
        memcpy(name, file, len - 5);
        name[len - 5] = '\0';
        FUZZ_CHECK(fuzz_ok(metadata_ref(m, name, &ref, &err), &err));
        FUZZ_CHECK(ref.version >= 1 && ref.length >= -1);
        FUZZ_CHECK(!ref.sha256[0] || hex_is(ref.sha256, SHA256_HEX_LEN));
        FUZZ_CHECK(!ref.sha512[0] || hex_is(ref.sha512, 2 * SHA256_HEX_LEN));
        FUZZ_CHECK(ref.hashed || (!ref.sha256[0] && !ref.sha512[0]));
    }
}

/* The plain meaning of a pattern, exponential where metadata_path_matches is not. */
static int matches(const char *pattern, const char *path, int *budget)
{
    if (--*budget < 0)
        return 0;
    if (!*pattern)
        return !*path;
    if (*pattern == '*')
        return matches(pattern + 1, path, budget) ||
               (*path && *path != '/' && matches(pattern, path + 1, budget));
    if (!*path)
        return 0;
    if (*pattern == '?' && *path != '/') {
        do
            path++;
        while ((*path & 0xc0) == 0x80);
        return matches(pattern + 1, path, budget);
    }
    return *pattern == *path && matches(pattern + 1, path + 1, budget);
}

static void ask_delegations(const struct metadata *m, const char *path)
{
    const json_t *list = json_object_get(json_object_get(m->body, "delegations"), "roles");
    const char *name;

    for (size_t i = 0; i < N_ASKED && (name = metadata_delegation(m, i)); i++) {
        const json_t *patterns = json_object_get(json_array_get(list, i), "paths");
        int terminating = -1, expected = 0, budget = 20000;
        int delegates = metadata_delegates(m, i, path, &terminating);

        FUZZ_CHECK(delegates ? terminating == 0 || terminating == 1 : terminating == -1);
        for (size_t k = 0; k < json_array_size(patterns); k++)
            expected =
                expected || matches(json_string_value(json_array_get(patterns, k)), path, &budget);
        FUZZ_CHECK(!patterns || budget < 0 || delegates == expected);
    }
}

/* Every path falls to one bin, the same each time, whose keys are known. */
static void ask_bins(const struct metadata *m, const char *path)
{
    char name[TUF_ROLE_NAME_MAX] = "", again[TUF_ROLE_NAME_MAX];
    struct err err = {0};
    struct key_set set;

    if (!metadata_bin(m, path, name)) {
        FUZZ_CHECK(!name[0]);
        return;
    }
    FUZZ_CHECK(!metadata_delegation(m, 0));
    fuzz_same(metadata_bin(m, path, again), name);
    FUZZ_CHECK(metadata_delegated_keys(m, name, &set, &err) == 0);
    check_keys(0, &set, &err);
}

static void ask_targets(const struct metadata *m)
{
    json_t *targets = json_object_get(m->body, "targets"), *o;
    const char *path, *name;
    int n = 0;

    for (size_t i = 0; i < N_ASKED && (name = metadata_delegation(m, i)); i++) {
        struct err err = {0};
        struct key_set set;
        int r = metadata_delegated_keys(m, name, &set, &err);

        FUZZ_CHECK(r == 0 && *name);
        check_keys(r, &set, &err);
        for (size_t k = 0; k < sizeof roles / sizeof roles[0]; k++)
            FUZZ_CHECK(strcmp(name, roles[k]) != 0);
    }
    ask_delegations(m, "content/crs/1.0.json");
    ask_bins(m, "content/crs/1.0.json");
    json_object_foreach (targets, path, o) {
        struct err err = {0};
        struct tuf_target t;

        if (n++ == N_ASKED)
            break;
        if (fuzz_ok(metadata_target(m, path, &t, &err), &err)) {
            fuzz_same(t.path, path);
            FUZZ_CHECK(t.length >= 0);
            /* Without a hash that we know nothing is this target, not even nothing. */
            FUZZ_CHECK(t.sha256[0] || t.sha512[0] || tuf_target_check(&t, "", 0, &err) < 0);
            FUZZ_CHECK(!t.sha256[0] || hex_is(t.sha256, SHA256_HEX_LEN));
            FUZZ_CHECK(!t.sha512[0] || hex_is(t.sha512, 2 * SHA256_HEX_LEN));
        } else {
            FUZZ_CHECK(strlen(path) >= TUF_TARGET_MAX);
        }
        ask_delegations(m, path);
        ask_bins(m, path);
    }
}

static void (*const ask[])(const struct metadata *m) = {
    [TUF_ROOT] = ask_root,
    [TUF_TIMESTAMP] = ask_meta,
    [TUF_SNAPSHOT] = ask_meta,
    [TUF_TARGETS] = ask_targets,
};

static void check_common(const struct metadata *m)
{
    struct err err = {0};
    char when[21];

    FUZZ_CHECK(m->version >= 1 && json_is_object(m->body));
    clock_format_utc(m->expires_s, when);
    fuzz_same(when, json_string_value(json_object_get(m->body, "expires")));
    FUZZ_CHECK(metadata_check_expiry(m, m->expires_s - 1, "file", &err) == 0);
    FUZZ_CHECK(metadata_check_expiry(m, m->expires_s, "file", &err) == -ERR_EXPIRED);
}

/* Written again, it is let in again, and the signatures would cover the same bytes. */
static void check_round_trip(const struct metadata *m)
{
    struct buf text, first, second;
    struct metadata *again = NULL;
    struct err err = {0};

    buf_init(&text, FUZZ_TEXT_MAX);
    buf_init(&first, FUZZ_TEXT_MAX);
    buf_init(&second, FUZZ_TEXT_MAX);
    if (fuzz_ok(canon_write(m->envelope, &first, &err), &err)) {
        FUZZ_CHECK(fuzz_ok(envelope_dump(m->envelope, &text, &err), &err));
        FUZZ_CHECK(
            fuzz_ok(metadata_parse(text.data, text.len, m->type, "again", &again, &err), &err));
        FUZZ_CHECK(canon_write(again->envelope, &second, &err) == 0);
        FUZZ_CHECK(first.len == second.len);
        fuzz_same(first.data, second.data);
    }
    metadata_free(again);
    buf_release(&text);
    buf_release(&first);
    buf_release(&second);
}

/* What the input says it is, found without parsing; where nothing is found, any. To try all four on
 * each input would take four times as long. */
static enum tuf_type guess(const uint8_t *data, size_t len)
{
    static const char key[] = "\"_type\"";
    const char *at = memmem(data, len, key, sizeof key - 1);
    const char *end = (const char *)data + len;

    for (enum tuf_type type = TUF_ROOT; at && type <= TUF_TARGETS; type++) {
        size_t window = (size_t)(end - at) < 32 ? (size_t)(end - at) : 32;

        if (memmem(at, window, roles[type], strlen(roles[type])))
            return type;
    }
    return (enum tuf_type)(len % 4);
}

static int is_let_in(const uint8_t *data, size_t len, enum tuf_type type)
{
    struct metadata *m = NULL;
    struct err err = {0};

    if (!fuzz_ok(metadata_parse((const char *)data, len, type, "file", &m, &err), &err)) {
        FUZZ_CHECK(!m);
        return 0;
    }
    check_common(m);
    ask[type](m);
    check_round_trip(m);
    metadata_free(m);
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    enum tuf_type type = guess(data, len);

    if (is_let_in(data, len, type))
        for (enum tuf_type other = TUF_ROOT; other <= TUF_TARGETS; other++)
            FUZZ_CHECK(other == type || !is_let_in(data, len, other));
    return 0;
}
