/*
 * fuzz_refresh: a whole refresh of the TUF client against a repository that the input bends. The
 * input is a list of records, each in place of one file:
 *
 *   record = which(1) how(1) length(2, little-endian) bytes(length)
 *
 * how 0: the bytes as they are; else they are a body, signed by the signers of its bits. Whatever
 * comes: it ends, what is stored is what was served and what the trusted keys signed, nothing goes
 * back under the same root, and the same again gives the same again.
 */
#include "fuzz.h"

#include <string.h>

#include "base/hex.h"
#include "base/jsonx.h"
#include "fuzz_signer.h"
#include "tuf/client.h"
#include "tuf/store_memory.h"

#define NOW          INT64_C(1764028800)
#define LATER        (NOW + 86400 * 365)
#define REQUESTS_MAX 64
#define TARGET       "content/crs/1.0.json"
#define CONTENT      "{\"release\":\"1.0\"}"

/* Files of the repository, by what is asked for without its version (but for roots). */
enum which { ROOT_2, ROOT_3, TIMESTAMP, SNAPSHOT, TARGETS, DELEGATED, CONTENT_1, N_FILES };
static const char *const names[N_FILES] = {
    "2.root.json",  "3.root.json",      "timestamp.json", "snapshot.json",
    "targets.json", "content-crs.json", "1.0.json",
};

/* What the client keeps, and where it is expected among the files above. */
static const struct stored {
    const char *name;
    enum tuf_type type;
    enum which file[2];
} stored[] = {
    {"root.json", TUF_ROOT, {ROOT_2, ROOT_3}},
    {"timestamp.json", TUF_TIMESTAMP, {TIMESTAMP, TIMESTAMP}},
    {"snapshot.json", TUF_SNAPSHOT, {SNAPSHOT, SNAPSHOT}},
    {"targets.json", TUF_TARGETS, {TARGETS, TARGETS}},
    {"content-crs.json", TUF_TARGETS, {DELEGATED, DELEGATED}},
};
#define N_STORED (sizeof stored / sizeof stored[0])

struct repo {
    struct buf files[N_FILES]; /* empty: there is none */
    int requests;
};

static void sign_into(json_t *body, int signers, struct buf *ret)
{
    json_auto_t *e = envelope_new(body);
    struct err err = {0};

    FUZZ_CHECK(e);
    for (int i = 0; i < FUZZ_SIGNERS; i++)
        if (signers & 1 << i && envelope_sign(e, fuzz_signer((size_t)i), &err) < 0)
            return; /* a body that has no canonical form */
    buf_reset(ret);
    FUZZ_CHECK(envelope_dump(e, ret, &err) == 0);
}

/* --- the honest repository ---------------------------------------------------------------------
 */

static json_t *honest_root(void)
{
    static const char *const roles[] = {"root", "timestamp", "snapshot", "targets"};
    const struct key *key = signer_key(fuzz_signer(0));
    json_t *root = metadata_new_root(1, LATER);

    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        FUZZ_CHECK(metadata_root_set_role(root, roles[i], &key, 1, 1) == 0);
    return root;
}

static void refer(json_t *body, const char *file, const struct buf *b)
{
    FUZZ_CHECK(metadata_set_ref(body, file, 1, b->data, b->len) == 0);
}

static void make_honest(struct repo *r)
{
    const struct key *key = signer_key(fuzz_signer(1));
    const char *const paths[] = {"content/crs/*"};
    json_t *content = metadata_new_targets(1, LATER), *targets = metadata_new_targets(1, LATER);
    json_t *snapshot = metadata_new_snapshot(1, LATER), *stamp = metadata_new_timestamp(1, LATER);

    FUZZ_CHECK(buf_adds(&r->files[CONTENT_1], CONTENT) == 0);
    FUZZ_CHECK(metadata_targets_add(content, TARGET, CONTENT, strlen(CONTENT), NULL) == 0);
    sign_into(content, 2, &r->files[DELEGATED]);
    FUZZ_CHECK(metadata_targets_delegate(targets, "content-crs", paths, 1, &key, 1, 1) == 0);
    sign_into(targets, 1, &r->files[TARGETS]);
    /* Without lengths and hashes, which no fuzzer can guess. */
    FUZZ_CHECK(metadata_set_ref(snapshot, "targets.json", 1, NULL, 0) == 0);
    FUZZ_CHECK(metadata_set_ref(snapshot, "content-crs.json", 1, NULL, 0) == 0);
    sign_into(snapshot, 1, &r->files[SNAPSHOT]);
    refer(stamp, "snapshot.json", &r->files[SNAPSHOT]);
    sign_into(stamp, 1, &r->files[TIMESTAMP]);
    json_decref(content);
    json_decref(targets);
    json_decref(snapshot);
    json_decref(stamp);
}

static void repo_init(struct repo *r)
{
    r->requests = 0;
    for (size_t i = 0; i < N_FILES; i++)
        buf_init(&r->files[i], FUZZ_TEXT_MAX);
}

static void repo_release(struct repo *r)
{
    for (size_t i = 0; i < N_FILES; i++)
        buf_release(&r->files[i]);
}

/* --- serving ---------------------------------------------------------------------------------- */

static int serve(void *ctx, const char *path, struct buf *ret, struct err *err)
{
    struct repo *r = ctx;
    const char *name = strrchr(path, '/');

    FUZZ_CHECK(++r->requests <= REQUESTS_MAX);
    FUZZ_CHECK(name && !strstr(path, ".."));
    name++;
    for (size_t i = 0; i < N_FILES; i++) {
        size_t len = strlen(name), n = strlen(names[i]);

        if (len < n || strcmp(name + len - n, names[i]) != 0 || !r->files[i].len)
            continue;
        if (buf_add(ret, r->files[i].data, r->files[i].len) < 0)
            return err_set(err, ERR_TOO_LARGE, "the file is too large");
        return 0;
    }
    return err_set(err, ERR_NOT_FOUND, "there is no such file");
}

static int refresh(const struct tuf_store *store, struct repo *r)
{
    const struct tuf_fetch fetch = {.get = serve, .ctx = r};
    struct tuf_client *c = NULL;
    struct tuf_target t;
    struct err err = {0};
    struct buf b;
    int e;

    r->requests = 0;
    FUZZ_CHECK(fuzz_ok(tuf_client_new(store, &fetch, &c, &err), &err));
    buf_init(&b, 65536);
    e = tuf_client_refresh(c, NOW, &err);
    if (e == 0)
        e = tuf_client_find(c, NOW, TARGET, &t, &err);
    if (e == 0)
        e = tuf_client_download(c, &t, &b, &err);
    if (fuzz_ok(e, &err)) {
        char hash[SHA256_HEX_LEN + 1];

        FUZZ_CHECK(b.len == (size_t)t.length);
        sha256_hex(b.data, b.len, hash);
        FUZZ_CHECK(!t.sha256[0] || !strcmp(hash, t.sha256));
    }
    tuf_client_free(c);
    buf_release(&b);
    return e;
}

/* --- what is stored --------------------------------------------------------------------------- */

struct kept {
    struct buf files[N_STORED];
};

static void kept_read(const struct tuf_store *store, struct kept *k)
{
    for (size_t i = 0; i < N_STORED; i++) {
        struct err err = {0};
        int r;

        buf_init(&k->files[i], FUZZ_TEXT_MAX);
        r = store->get(store->ctx, stored[i].name, &k->files[i], &err);
        FUZZ_CHECK(r == 0 || r == -ERR_NOT_FOUND);
    }
}

static void kept_release(struct kept *k)
{
    for (size_t i = 0; i < N_STORED; i++)
        buf_release(&k->files[i]);
}

static int same(const struct buf *a, const struct buf *b)
{
    return a->len == b->len && (!a->len || !memcmp(a->data, b->data, a->len));
}

static struct metadata *parsed(const struct kept *k, size_t i)
{
    struct metadata *m = NULL;
    struct err err = {0};

    if (k->files[i].len)
        FUZZ_CHECK(metadata_parse(k->files[i].data, k->files[i].len, stored[i].type, "stored", &m,
                                  &err) == 0);
    return m;
}

/* Counted the naive way. */
static void check_signed(const struct metadata *m, struct key_set *keys)
{
    int found = 0;

    for (size_t i = 0; i < keys->n_keys; i++)
        found += fuzz_is_signed_by(m->envelope, keys->keys[i]);
    FUZZ_CHECK(found >= keys->threshold);
    key_set_release(keys);
}

static void check_new_file(const struct repo *r, const struct kept *now, size_t i)
{
    struct metadata *root = parsed(now, 0), *targets = parsed(now, 3), *m = parsed(now, i);
    struct key_set keys;
    struct err err = {0};
    char role[64];

    FUZZ_CHECK(same(&now->files[i], &r->files[stored[i].file[0]]) ||
               same(&now->files[i], &r->files[stored[i].file[1]]));
    snprintf(role, sizeof role, "%.*s", (int)(strlen(stored[i].name) - 5), stored[i].name);
    if (i == N_STORED - 1)
        FUZZ_CHECK(metadata_delegated_keys(targets, role, &keys, &err) == 0);
    else
        FUZZ_CHECK(metadata_root_keys(root, role, &keys, &err) == 0);
    check_signed(m, &keys);
    metadata_free(root);
    metadata_free(targets);
    metadata_free(m);
}

/* Under one root; what its rotation dropped begins anew. */
static void check_no_rollback(const struct kept *before, const struct kept *now)
{
    for (size_t i = 0; i < 3; i++) { /* root, timestamp, snapshot */
        struct metadata *old = parsed(before, i), *new = parsed(now, i);

        FUZZ_CHECK(!old || (new &&new->version >= old->version));
        metadata_free(old);
        metadata_free(new);
    }
}

static void check_kept(const struct repo *r, const struct kept *before, const struct kept *now)
{
    for (size_t i = 0; i < N_STORED; i++)
        if (now->files[i].len && !same(&before->files[i], &now->files[i]))
            check_new_file(r, now, i);
    if (same(&before->files[0], &now->files[0]))
        check_no_rollback(before, now);
}

/* --- the input -------------------------------------------------------------------------------- */

static void bend(struct repo *r, const uint8_t *data, size_t len)
{
    while (len >= 4) {
        struct buf *file = &r->files[data[0] % N_FILES];
        int how = data[1] & ((1 << FUZZ_SIGNERS) - 1);
        size_t n = data[2] | (size_t)data[3] << 8;
        const char *bytes = (const char *)data + 4;
        json_auto_t *body = NULL;

        if (n > len - 4)
            n = len - 4;
        if (how && jsonx_parse(bytes, n, FUZZ_TEXT_MAX, &body, NULL) == 0) {
            sign_into(body, how, file);
        } else {
            buf_reset(file);
            FUZZ_CHECK(buf_add(file, bytes, n) == 0);
        }
        data += 4 + n;
        len -= 4 + n;
    }
}

/* The state after an honest refresh, made once: it is only read. */
static const struct tuf_store *honest(struct repo **ret)
{
    static struct repo repo;
    static struct tuf_memory *memory;
    static struct tuf_store store;

    *ret = &repo;
    if (!memory) {
        json_auto_t *root = honest_root();
        struct err err = {0};
        struct buf b;

        buf_init(&b, FUZZ_TEXT_MAX);
        repo_init(&repo);
        make_honest(&repo);
        memory = tuf_memory_new(NULL);
        FUZZ_CHECK(memory);
        store = tuf_memory_store(memory);
        sign_into(root, 1, &b);
        FUZZ_CHECK(tuf_client_init(&store, b.data, b.len, &err) == 0);
        FUZZ_CHECK(refresh(&store, &repo) == 0);
        buf_release(&b);
    }
    return &store;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct repo *good, bad;
    const struct tuf_store *below = honest(&good);
    struct tuf_memory *memory = tuf_memory_new(below);
    struct kept before, once, twice;
    struct tuf_store store;
    int first, second;

    FUZZ_CHECK(memory);
    store = tuf_memory_store(memory);
    repo_init(&bad);
    for (size_t i = 0; i < N_FILES; i++)
        FUZZ_CHECK(buf_add(&bad.files[i], good->files[i].data, good->files[i].len) == 0);
    bend(&bad, data, len);
    kept_read(below, &before);
    first = refresh(&store, &bad);
    kept_read(&store, &once);
    check_kept(&bad, &before, &once);
    second = refresh(&store, &bad);
    kept_read(&store, &twice);
    check_kept(&bad, &once, &twice);
    if (first == 0) {
        FUZZ_CHECK(second == 0);
        for (size_t i = 0; i < N_STORED; i++)
            FUZZ_CHECK(same(&once.files[i], &twice.files[i]));
    }
    kept_release(&before);
    kept_release(&once);
    kept_release(&twice);
    repo_release(&bad);
    tuf_memory_free(memory);
    return 0;
}
