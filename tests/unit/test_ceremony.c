/* ceremony: the next version of a file, what is told of it, and whose signatures count. */
#include "cmocka_all.h"

#include <string.h>

#include "ceremony/ceremony.h"
#include "ceremony/ceremony_diff.h"
#include "ceremony/ceremony_sign.h"
#include "scratch.h"

#define NOW     INT64_C(1764028800)
#define DAY     INT64_C(86400)
#define SIGNERS 6
#define SCRAP   (&(struct err){0}) /* an error whose text nobody reads */
#define DIGEST  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Keys 0..2 are root's, 1..3 targets', 4 and 5 those of content-crs and of the server. */
struct desk {
    char *dir;
    struct signer *signers[SIGNERS];
    json_t *root, *targets, *content; /* bodies at version 1 */
};

static const struct key *key(const struct desk *d, int i)
{
    return signer_key(d->signers[i]);
}

static void make_bodies(struct desk *d)
{
    const struct key *keys[SIGNERS];
    const char *content[] = {"content/crs/*"}, *rollout[] = {"rollout/*"};

    for (int i = 0; i < SIGNERS; i++)
        keys[i] = key(d, i);
    d->root = metadata_new_root(1, NOW + 365 * DAY);
    d->targets = metadata_new_targets(1, NOW + 180 * DAY);
    d->content = metadata_new_targets(1, NOW + 180 * DAY);
    assert_int_equal(metadata_root_set_role(d->root, "root", keys, 3, 2), 0);
    assert_int_equal(metadata_root_set_role(d->root, "targets", keys + 1, 3, 2), 0);
    assert_int_equal(metadata_root_set_role(d->root, "snapshot", keys + 5, 1, 1), 0);
    assert_int_equal(metadata_root_set_role(d->root, "timestamp", keys + 5, 1, 1), 0);
    assert_int_equal(
        metadata_targets_delegate(d->targets, "content-crs", content, 1, keys + 4, 2, 2), 0);
    assert_int_equal(metadata_targets_delegate(d->targets, "rollout", rollout, 1, keys + 5, 1, 1),
                     0);
    assert_int_equal(metadata_targets_add(d->content, "content/crs/1.0.json", "x", 1, NULL), 0);
}

static int setup(void **state)
{
    struct desk *d = calloc(1, sizeof *d);

    if (!d || scratch_make((void **)&d->dir) < 0)
        return -1;
    for (int i = 0; i < SIGNERS; i++) {
        char path[64];

        snprintf(path, sizeof path, "%s/%d.pem", d->dir, i);
        if (key_generate("ed25519", path, NULL, NULL, NULL) < 0 ||
            signer_open(path, NULL, &d->signers[i], NULL) < 0)
            return -1;
    }
    make_bodies(d);
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    struct desk *d = *state;
    int r = scratch_remove((void **)&d->dir);

    for (int i = 0; i < SIGNERS; i++)
        signer_free(d->signers[i]);
    json_decref(d->root);
    json_decref(d->targets);
    json_decref(d->content);
    free(d);
    return r;
}

/* Parsed metadata of this body, signed by the signers in `by` ("012"). */
static struct metadata *signed_by(const struct desk *d, json_t *body, const char *by)
{
    json_auto_t *envelope = envelope_new(body);
    char role[TUF_ROLE_NAME_MAX];
    struct metadata *m = NULL;
    struct err err = {0};
    struct buf text;

    for (; *by; by++)
        assert_int_equal(envelope_sign(envelope, d->signers[*by - '0'], NULL), 0);
    buf_init(&text, TUF_TARGETS_MAX);
    assert_int_equal(envelope_dump(envelope, &text, NULL), 0);
    if (ceremony_parse(text.data, text.len, "file", &m, role, &err) < 0)
        fail_msg("%s", err.msg);
    buf_release(&text);
    return m;
}

/* --- reading -------------------------------------------------------------------------------- */

static int role_of(json_t *body, char ret[TUF_ROLE_NAME_MAX])
{
    json_auto_t *envelope = envelope_new(body);
    _cleanup_(metadata_free_p)
    struct metadata *m = NULL;
    char *text = json_dumps(envelope, 0);
    int r = ceremony_parse(text, strlen(text), "file", &m, ret, SCRAP);

    free(text);
    return r;
}

static void test_role_names(void **state)
{
    struct desk *d = *state;
    json_auto_t *timestamp = metadata_new_timestamp(1, NOW);
    json_auto_t *empty = metadata_new_targets(1, NOW);
    char role[TUF_ROLE_NAME_MAX];

    assert_int_equal(role_of(d->root, role), 0);
    assert_string_equal(role, "root");
    assert_int_equal(role_of(d->targets, role), 0);
    assert_string_equal(role, "targets");
    assert_int_equal(role_of(d->content, role), 0);
    assert_string_equal(role, "content-crs");
    metadata_set_ref(timestamp, "snapshot.json", 1, NULL, 0);
    assert_int_equal(role_of(timestamp, role), -ERR_INVALID);
    assert_int_equal(role_of(empty, role), -ERR_INVALID);
    metadata_targets_add(d->content, "content/web/1.0.json", "x", 1, NULL);
    assert_int_equal(role_of(d->content, role), -ERR_INVALID);
    metadata_targets_add(empty, "rollout/crs.json", "x", 1, NULL);
    assert_int_equal(role_of(empty, role), -ERR_INVALID);
}

/* --- the next version ----------------------------------------------------------------------- */

static void test_next(void **state)
{
    struct desk *d = *state;
    _cleanup_(metadata_free_p)
    struct metadata *whole = NULL;
    _cleanup_(metadata_free_p)
    struct metadata *draft = NULL;
    json_auto_t *a = NULL;
    json_auto_t *b = NULL;
    json_t *none = NULL;

    json_object_set_new(d->root, "x-site", json_string("kept"));
    whole = signed_by(d, d->root, "01");
    draft = signed_by(d, d->root, "");
    assert_int_equal(ceremony_next(whole, NOW + DAY, NOW, &a, SCRAP), 0);
    assert_int_equal(json_integer_value(json_object_get(a, "version")), 2);
    assert_string_equal(json_string_value(json_object_get(a, "expires")), "2025-11-26T00:00:00Z");
    assert_string_equal(json_string_value(json_object_get(a, "x-site")), "kept");
    assert_int_equal(ceremony_next(draft, 0, NOW, &b, SCRAP), 0);
    assert_int_equal(json_integer_value(json_object_get(b, "version")), 1);
    assert_true(json_equal(b, d->root));
    assert_int_equal(ceremony_next(whole, 0, NOW + 365 * DAY, &none, SCRAP), -ERR_EXPIRED);
    assert_null(none);
}

static int change(json_t *body, const char *role, const struct key *add, const char *remove,
                  int threshold)
{
    const struct ceremony_change c = {.role = role,
                                      .add = &add,
                                      .n_add = add != NULL,
                                      .remove = &remove,
                                      .n_remove = remove != NULL,
                                      .threshold = threshold};

    return ceremony_change(body, &c, SCRAP);
}

static size_t n_keys(const json_t *body, const char *role)
{
    json_t *o, *table;

    assert_int_equal(ceremony_role(body, role, &o, &table, SCRAP), 0);
    return json_array_size(json_object_get(o, "keyids"));
}

static void test_change_root(void **state)
{
    struct desk *d = *state;
    json_t *table = json_object_get(d->root, "keys"), *role, *ignored;
    char prefix[9];

    assert_int_equal(ceremony_role(d->root, "root", &role, &ignored, SCRAP), 0);
    json_object_set_new(role, "x-note", json_integer(7));
    snprintf(prefix, sizeof prefix, "%s", key_id(key(d, 0)));
    assert_int_equal(change(d->root, "root", key(d, 4), prefix, 3), 0);
    assert_int_equal(n_keys(d->root, "root"), 3);
    assert_null(json_object_get(table, key_id(key(d, 0))));
    assert_non_null(json_object_get(table, key_id(key(d, 4))));
    assert_int_equal(json_integer_value(json_object_get(role, "x-note")), 7);
    /* key 1 leaves root and stays in targets */
    assert_int_equal(change(d->root, "root", NULL, key_id(key(d, 1)), 2), 0);
    assert_non_null(json_object_get(table, key_id(key(d, 1))));
    /* a new key for the server */
    assert_int_equal(change(d->root, "timestamp", key(d, 0), key_id(key(d, 5)), 0), 0);
    assert_non_null(json_object_get(table, key_id(key(d, 5))));
}

static void test_change_refused(void **state)
{
    struct desk *d = *state;
    const struct {
        const char *role;
        const struct key *add;
        const char *remove;
        int threshold, want;
    } rows[] = {
        {"root", NULL, NULL, 4, -ERR_INVALID},                   /* more than there are keys */
        {"root", NULL, NULL, 2, -ERR_INVALID},                   /* as it is */
        {"root", key(d, 0), key_id(key(d, 2)), 0, -ERR_EXISTS},  /* has it */
        {"root", NULL, "0123", 0, -ERR_USAGE},                   /* too short to be meant */
        {"root", NULL, key_id(key(d, 5)), 0, -ERR_NOT_FOUND},    /* of another role */
        {"mirrors", key(d, 0), NULL, 0, -ERR_NOT_FOUND},         /* no such role */
        {"snapshot", key(d, 0), NULL, 2, -ERR_INVALID},          /* the server has one key */
        {"timestamp", NULL, key_id(key(d, 5)), 0, -ERR_INVALID}, /* nobody left */
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_auto_t *body = json_deep_copy(d->root);

        assert_int_equal(change(body, rows[i].role, rows[i].add, rows[i].remove, rows[i].threshold),
                         rows[i].want);
    }
}

/* The same public key under another id would give one person two votes. */
static void test_change_two_ids(void **state)
{
    struct desk *d = *state;
    json_t *role, *table, *o = key_to_json(key(d, 4));

    assert_int_equal(ceremony_role(d->root, "root", &role, &table, SCRAP), 0);
    json_object_set_new(table, "someone", o);
    json_array_append_new(json_object_get(role, "keyids"), json_string("someone"));
    assert_int_equal(change(d->root, "root", key(d, 4), NULL, 0), -ERR_EXISTS);
}

static void test_change_delegations(void **state)
{
    struct desk *d = *state;
    json_t *role, *table;

    /* "roles" of a targets file is a field like any other; the delegations are elsewhere */
    json_object_set_new(d->targets, "roles",
                        json_pack("{s:{s:[], s:i}}", "content-crs", "keyids", "threshold", 1));
    assert_int_equal(change(d->targets, "content-crs", key(d, 0), NULL, 3), 0);
    assert_int_equal(ceremony_role(d->targets, "content-crs", &role, &table, SCRAP), 0);
    assert_int_equal(json_array_size(json_object_get(role, "keyids")), 3);
    assert_int_equal(json_integer_value(json_object_get(role, "threshold")), 3);
    assert_int_equal(change(d->targets, "rollout", key(d, 1), key_id(key(d, 5)), 0), 0);
    assert_non_null(json_object_get(table, key_id(key(d, 5)))); /* content-crs has it, too */
}

static void test_add_channel(void **state)
{
    struct desk *d = *state;
    const struct key *keys[] = {key(d, 0), key(d, 1), key(d, 0)};
    json_auto_t *twice = json_deep_copy(d->targets);
    json_auto_t *few = json_deep_copy(d->targets);
    json_auto_t *covered = json_deep_copy(d->targets);
    const char *all[] = {"content/*/*"};
    json_t *role, *table;

    assert_int_equal(ceremony_add_channel(d->targets, "web", keys, 2, 2, SCRAP), 0);
    assert_int_equal(ceremony_role(d->targets, "content-web", &role, &table, SCRAP), 0);
    assert_true(json_is_true(json_object_get(role, "terminating")));
    assert_string_equal(json_string_value(json_array_get(json_object_get(role, "paths"), 0)),
                        "content/web/*");
    assert_int_equal(ceremony_add_channel(d->targets, "web", keys, 2, 2, SCRAP), -ERR_EXISTS);
    assert_int_equal(ceremony_add_channel(twice, "web", keys, 3, 2, SCRAP), -ERR_EXISTS);
    assert_int_equal(ceremony_add_channel(few, "web", keys, 2, 3, SCRAP), -ERR_INVALID);
    metadata_targets_delegate(covered, "all", all, 1, keys, 1, 1);
    assert_int_equal(ceremony_add_channel(covered, "web", keys, 2, 2, SCRAP), -ERR_EXISTS);
}

/* --- what changes --------------------------------------------------------------------------- */

/* The kinds of changes between two bodies, joined by blanks. */
static const char *kinds(const struct desk *d, json_t *from, json_t *to, char ret[512])
{
    _cleanup_(metadata_free_p)
    struct metadata *a = signed_by(d, from, "");
    _cleanup_(metadata_free_p)
    struct metadata *b = signed_by(d, to, "");
    json_auto_t *list = NULL;
    size_t i;
    json_t *o;

    assert_int_equal(ceremony_diff(a, b, &list, SCRAP), 0);
    ret[0] = '\0';
    json_array_foreach (list, i, o) {
        if (i)
            strcat(ret, " ");
        strcat(ret, json_string_value(json_object_get(o, "change")));
    }
    return ret;
}

static void test_diff_root(void **state)
{
    struct desk *d = *state;
    json_auto_t *next = json_deep_copy(d->root);
    json_t *role, *table;
    char got[512];

    assert_string_equal(kinds(d, d->root, next, got), "");
    assert_int_equal(change(next, "root", key(d, 4), key_id(key(d, 0)), 3), 0);
    json_object_set_new(next, "version", json_integer(2));
    assert_string_equal(kinds(d, d->root, next, got), "version threshold key-removed key-added");
    json_object_update(next, d->root); /* back, but for one field */
    json_object_set_new(next, "consistent_snapshot", json_false());
    assert_string_equal(kinds(d, d->root, next, got), "field");
    json_object_update(next, d->root);
    json_object_set_new(next, "x-new", json_integer(1));
    assert_string_equal(kinds(d, d->root, next, got), "field");
    json_object_del(next, "x-new");
    json_object_set_new(next, "keys", json_deep_copy(json_object_get(d->root, "keys")));
    assert_int_equal(ceremony_role(next, "root", &role, &table, SCRAP), 0);
    json_object_set_new(table, key_id(key(d, 0)), key_to_json(key(d, 4)));
    assert_string_equal(kinds(d, d->root, next, got), "key-changed");
}

static void test_diff_delegations(void **state)
{
    struct desk *d = *state;
    const struct key *keys[] = {key(d, 0)};
    json_auto_t *added = json_deep_copy(d->targets);
    json_auto_t *wider = json_deep_copy(d->targets);
    json_auto_t *turned = json_deep_copy(d->targets);
    json_auto_t *hidden = json_deep_copy(d->targets);
    json_t *role, *table, *roles;
    char got[512];

    assert_int_equal(ceremony_add_channel(added, "web", keys, 1, 1, SCRAP), 0);
    assert_string_equal(kinds(d, d->targets, added, got),
                        "role-added threshold key-added role-field role-field");
    assert_string_equal(kinds(d, added, d->targets, got), "role-removed");
    assert_int_equal(ceremony_role(wider, "rollout", &role, &table, SCRAP), 0);
    json_array_append_new(json_object_get(role, "paths"), json_string("content/*/*"));
    assert_string_equal(kinds(d, d->targets, wider, got), "role-field");
    roles = json_object_get(json_object_get(turned, "delegations"), "roles");
    json_array_append(roles, json_array_get(roles, 0));
    json_array_remove(roles, 0);
    assert_string_equal(kinds(d, d->targets, turned, got), "field");
    json_object_set_new(hidden, "roles", json_object());
    json_object_set_new(json_object_get(hidden, "delegations"), "x-more", json_true());
    assert_string_equal(kinds(d, d->targets, hidden, got), "field field");
}

static void test_diff_content(void **state)
{
    struct desk *d = *state;
    json_auto_t *next = json_deep_copy(d->content);
    json_auto_t *custom = json_pack("{s:[{s:s, s:s}]}", "revoked", "digest", DIGEST, "reason", "x");
    char got[512];

    metadata_targets_add(next, "content/crs/2.0.json", "y", 1, NULL);
    assert_string_equal(kinds(d, d->content, next, got), "target-added");
    assert_string_equal(kinds(d, next, d->content, got), "target-removed");
    metadata_targets_add(next, "content/crs/1.0.json", "z", 1, NULL);
    assert_string_equal(kinds(d, d->content, next, got), "target-changed target-added");
    metadata_targets_add(next, "content/crs/1.0.json", "x", 1, custom);
    assert_string_equal(kinds(d, d->content, next, got), "target-custom target-added revoked");
    assert_string_equal(kinds(d, next, d->content, got),
                        "target-custom target-removed revocation-dropped");
}

/* --- signatures ----------------------------------------------------------------------------- */

static void groups_of(const struct metadata *m, const char *role, const struct metadata *root,
                      const struct metadata *targets, struct ceremony_groups *ret)
{
    struct err err = {0};

    *ret = (struct ceremony_groups){0};
    if (ceremony_groups(m, role, root, targets, ret, &err) < 0)
        fail_msg("%s", err.msg);
}

static int have(const json_t *tally, size_t group)
{
    return (int)json_integer_value(
        json_object_get(json_array_get(json_object_get(tally, "needs"), group), "have"));
}

/* Root 2 replaces key 0 by key 4: 0 and 1 speak for the old keys, 1 and 4 for the new ones. */
static void test_tally_root(void **state)
{
    struct desk *d = *state;
    json_auto_t *next = json_deep_copy(d->root);
    const struct {
        const char *by;
        int fresh, old;
        bool complete;
    } rows[] = {{"", 0, 0, false},  {"0", 0, 1, false},  {"01", 1, 2, false},
                {"4", 1, 0, false}, {"14", 2, 1, false}, {"014", 2, 2, true},
                {"12", 2, 2, true}, {"53", 0, 0, false}, {"0145", 2, 2, true}};
    _cleanup_(metadata_free_p)
    struct metadata *old = signed_by(d, d->root, "01");

    assert_int_equal(change(next, "root", key(d, 4), key_id(key(d, 0)), 0), 0);
    json_object_set_new(next, "version", json_integer(2));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        _cleanup_(metadata_free_p)
        struct metadata *m = signed_by(d, next, rows[i].by);
        json_auto_t *tally = NULL;
        struct ceremony_groups g;

        groups_of(m, "root", old, NULL, &g);
        assert_int_equal(ceremony_tally(m->envelope, &g, "root", &tally, SCRAP), 0);
        assert_int_equal(have(tally, 0), rows[i].fresh);
        assert_int_equal(have(tally, 1), rows[i].old);
        assert_int_equal(json_is_true(json_object_get(tally, "complete")), rows[i].complete);
        ceremony_groups_release(&g);
    }
}

static void test_groups_refused(void **state)
{
    struct desk *d = *state;
    json_auto_t *third = json_deep_copy(d->root);
    struct ceremony_groups g = {0};
    _cleanup_(metadata_free_p)
    struct metadata *root = signed_by(d, d->root, "01");
    _cleanup_(metadata_free_p)
    struct metadata *targets = signed_by(d, d->targets, "1");
    _cleanup_(metadata_free_p)
    struct metadata *content = signed_by(d, d->content, "");
    struct metadata *later;

    json_object_set_new(third, "version", json_integer(3));
    later = signed_by(d, third, "");
    assert_int_equal(ceremony_groups(root, "root", root, NULL, &g, SCRAP), -ERR_ROLLBACK);
    assert_int_equal(ceremony_groups(later, "root", root, NULL, &g, SCRAP), -ERR_INVALID);
    assert_int_equal(ceremony_groups(content, "content-crs", root, targets, &g, SCRAP),
                     -ERR_UNDERSIGNED);
    assert_int_equal(ceremony_groups(content, "content-web", NULL, targets, &g, SCRAP),
                     -ERR_NOT_FOUND);
    assert_int_equal(g.n, 0);
    metadata_free(later);
}

static void test_say(void **state)
{
    struct desk *d = *state;
    _cleanup_(metadata_free_p)
    struct metadata *root = signed_by(d, d->root, "01");
    _cleanup_(metadata_free_p)
    struct metadata *targets = signed_by(d, d->targets, "12");
    _cleanup_(metadata_free_p)
    struct metadata *content = signed_by(d, d->content, "4");
    json_auto_t *tally = NULL;
    struct ceremony_groups g;

    groups_of(targets, "targets", root, NULL, &g);
    assert_true(ceremony_has_say(&g, key(d, 3)));
    assert_false(ceremony_has_say(&g, key(d, 0)));
    ceremony_groups_release(&g);
    groups_of(content, "content-crs", root, targets, &g);
    assert_true(ceremony_has_say(&g, key(d, 4)));
    assert_false(ceremony_has_say(&g, key(d, 3)));
    ceremony_groups_release(&g);
    groups_of(content, "content-crs", root, NULL, &g); /* nobody here knows */
    assert_int_equal(ceremony_tally(content->envelope, &g, "content", &tally, SCRAP), 0);
    assert_true(json_is_null(json_object_get(tally, "complete")));
    assert_string_equal(ceremony_state(tally, key_id(key(d, 4))), "unknown");
    assert_null(ceremony_state(tally, key_id(key(d, 5))));
}

/* Somebody edits the file between two signatures. */
static void test_edited(void **state)
{
    struct desk *d = *state;
    _cleanup_(metadata_free_p)
    struct metadata *m = signed_by(d, d->root, "0");
    json_auto_t *tally = NULL;
    json_auto_t *after = NULL;
    struct ceremony_groups g;

    groups_of(m, "root", NULL, NULL, &g);
    assert_int_equal(ceremony_tally(m->envelope, &g, "root", &tally, SCRAP), 0);
    assert_int_equal(ceremony_check_bad(tally, "root", SCRAP), 0);
    json_object_set_new(m->body, "expires", json_string("2099-01-01T00:00:00Z"));
    assert_int_equal(ceremony_tally(m->envelope, &g, "root", &after, SCRAP), 0);
    assert_int_equal(have(after, 0), 0);
    assert_int_equal(ceremony_check_bad(after, "root", SCRAP), -ERR_TAMPERED);
    ceremony_groups_release(&g);
}

static void test_ids(void **state)
{
    struct desk *d = *state;
    _cleanup_(metadata_free_p)
    struct metadata *m = signed_by(d, d->root, "01");

    assert_int_equal(ceremony_check_ids(m, "root", SCRAP), 0);
    json_object_set_new(json_object_get(m->body, "keys"), key_id(key(d, 0)),
                        key_to_json(key(d, 4)));
    assert_int_equal(ceremony_check_ids(m, "root", SCRAP), -ERR_UNTRUSTED);
}

/* A role that nobody could ever sign for gets no signature. */
static void test_thresholds(void **state)
{
    struct desk *d = *state;
    _cleanup_(metadata_free_p)
    struct metadata *root = signed_by(d, d->root, "");
    _cleanup_(metadata_free_p)
    struct metadata *targets = signed_by(d, d->targets, "");
    json_t *roles = json_object_get(root->body, "roles"), *role;
    json_t *list = json_object_get(json_object_get(targets->body, "delegations"), "roles");

    assert_int_equal(ceremony_check_thresholds(root, "root", SCRAP), 0);
    assert_int_equal(ceremony_check_thresholds(targets, "targets", SCRAP), 0);
    role = json_object_get(roles, "targets");
    json_object_set_new(role, "threshold", json_integer(4));
    assert_int_equal(ceremony_check_thresholds(root, "root", SCRAP), -ERR_INVALID);
    json_object_set_new(role, "threshold", json_integer(1));
    assert_int_equal(ceremony_check_thresholds(root, "root", SCRAP), 0);
    json_array_clear(json_object_get(role, "keyids"));
    assert_int_equal(ceremony_check_thresholds(root, "root", SCRAP), -ERR_INVALID);
    json_object_set_new(json_array_get(list, 0), "threshold", json_integer(3));
    assert_int_equal(ceremony_check_thresholds(targets, "targets", SCRAP), -ERR_INVALID);
}

/* One key under two ids is one voice. */
static void test_two_ids(void **state)
{
    struct desk *d = *state;
    json_t *role, *table;
    json_auto_t *tally = NULL;
    struct ceremony_groups g;
    struct metadata *m;
    json_t *list;

    assert_int_equal(ceremony_role(d->root, "root", &role, &table, SCRAP), 0);
    json_object_set_new(table, "again", key_to_json(key(d, 0)));
    json_array_append_new(json_object_get(role, "keyids"), json_string("again"));
    m = signed_by(d, d->root, "0");
    list = json_object_get(m->envelope, "signatures");
    json_array_append_new(list, json_deep_copy(json_array_get(list, 0)));
    groups_of(m, "root", NULL, NULL, &g);
    assert_int_equal(ceremony_tally(m->envelope, &g, "root", &tally, SCRAP), -ERR_UNTRUSTED);
    json_object_set_new(json_array_get(list, 1), "keyid", json_string("again"));
    assert_int_equal(ceremony_tally(m->envelope, &g, "root", &tally, SCRAP), 0);
    assert_int_equal(have(tally, 0), 1);
    ceremony_groups_release(&g);
    metadata_free(m);
}

/* --- merging -------------------------------------------------------------------------------- */

static int merge(struct metadata *m, const struct metadata *other, int *ret_added)
{
    struct ceremony_groups g;
    int r;

    groups_of(m, "root", NULL, NULL, &g);
    r = ceremony_merge(m->envelope, other->envelope, &g, ret_added, SCRAP);
    ceremony_groups_release(&g);
    return r;
}

static size_t n_signatures(const struct metadata *m)
{
    return json_array_size(json_object_get(m->envelope, "signatures"));
}

static void test_merge(void **state)
{
    struct desk *d = *state;
    _cleanup_(metadata_free_p)
    struct metadata *a = signed_by(d, d->root, "0");
    _cleanup_(metadata_free_p)
    struct metadata *b = signed_by(d, d->root, "10");
    struct metadata *c;
    int added = -1;

    assert_int_equal(merge(a, b, &added), 0);
    assert_int_equal(added, 1);
    assert_int_equal(merge(a, b, &added), 0);
    assert_int_equal(added, 0);
    assert_int_equal(n_signatures(a), 2);
    json_object_set_new(d->root, "expires", json_string("2099-01-01T00:00:00Z"));
    c = signed_by(d, d->root, "2");
    assert_int_equal(merge(a, c, &added), -ERR_CONFLICT);
    assert_int_equal(n_signatures(a), 2);
    metadata_free(c);
}

/* A signature that was broken on its way is replaced by a good one, and replaces nothing. */
static void test_merge_bad(void **state)
{
    struct desk *d = *state;
    _cleanup_(metadata_free_p)
    struct metadata *good = signed_by(d, d->root, "0");
    _cleanup_(metadata_free_p)
    struct metadata *bad = signed_by(d, d->root, "0");
    _cleanup_(metadata_free_p)
    struct metadata *none = signed_by(d, d->root, "");
    int added;

    json_object_set_new(json_array_get(json_object_get(bad->envelope, "signatures"), 0), "sig",
                        json_string("00"));
    assert_int_equal(merge(none, bad, &added), 0);
    assert_int_equal(added, 0);
    assert_int_equal(merge(good, bad, &added), 0);
    assert_int_equal(added, 0);
    assert_int_equal(merge(bad, good, &added), 0);
    assert_int_equal(added, 1);
    assert_true(json_equal(bad->envelope, good->envelope));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_role_names),
        TEST(test_next),
        TEST(test_change_root),
        TEST(test_change_refused),
        TEST(test_change_two_ids),
        TEST(test_change_delegations),
        TEST(test_add_channel),
        TEST(test_diff_root),
        TEST(test_diff_delegations),
        TEST(test_diff_content),
        TEST(test_tally_root),
        TEST(test_groups_refused),
        TEST(test_say),
        TEST(test_edited),
        TEST(test_ids),
        TEST(test_thresholds),
        TEST(test_two_ids),
        TEST(test_merge),
        TEST(test_merge_bad),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
