/* ceremony_sign: see ceremony_sign.h. */
#include "ceremony/ceremony_sign.h"

#include <string.h>

#include "base/jsonx.h"
#include "tuf/canon.h"

#define SIGNATURES_MAX 1024
#define KEYID_MAX      256
#define SIG_MAX        16384
#define CANON_MAX      (16 * 1024 * 1024) /* bytes of a canonical "signed" */

/* --- who is to sign ------------------------------------------------------------------------- */

static struct ceremony_group *new_group(struct ceremony_groups *g)
{
    return &g->group[g->n++];
}

static int root_groups(const struct metadata *m, const struct metadata *old,
                       struct ceremony_groups *g, struct err *err)
{
    struct ceremony_group *group;
    int r;

    if (old && old->version >= m->version) {
        err_set(err, ERR_ROLLBACK, "root version %lld is there already, this is version %lld",
                (long long)old->version, (long long)m->version);
        return err_remedy(err, "start again from 'firebreak repo get root'");
    }
    if (old && old->version != m->version - 1) {
        err_set(err, ERR_INVALID, "root version %lld does not follow version %lld",
                (long long)m->version, (long long)old->version);
        return err_remedy(err, "give the root just before it: 'firebreak repo get root'");
    }
    group = new_group(g);
    snprintf(group->by, sizeof group->by, "the keys that it names itself");
    r = metadata_root_keys(m, "root", &group->set, err);
    if (r < 0 || !old)
        return r;
    group = new_group(g);
    snprintf(group->by, sizeof group->by, "the old keys, of root version %lld",
             (long long)old->version);
    return metadata_root_keys(old, "root", &group->set, err);
}

static int targets_groups(const struct metadata *root, struct ceremony_groups *g, struct err *err)
{
    struct ceremony_group *group;

    if (!root)
        return 0;
    group = new_group(g);
    snprintf(group->by, sizeof group->by, "the targets keys of root version %lld",
             (long long)root->version);
    return metadata_root_keys(root, "targets", &group->set, err);
}

/* A targets file given with a root must be one of that root. */
static int check_targets(const struct metadata *root, const struct metadata *targets,
                         struct err *err)
{
    struct key_set set;
    int r = metadata_root_keys(root, "targets", &set, err);

    if (r < 0)
        return r;
    r = envelope_verify(targets->envelope, &set, "targets", err);
    key_set_release(&set);
    return r;
}

static int content_groups(const char *role, const struct metadata *root,
                          const struct metadata *targets, struct ceremony_groups *g,
                          struct err *err)
{
    struct ceremony_group *group;
    int r;

    if (!targets)
        return 0;
    r = root ? check_targets(root, targets, err) : 0;
    if (r < 0)
        return r;
    group = new_group(g);
    snprintf(group->by, sizeof group->by, "the %s keys of targets version %lld", role,
             (long long)targets->version);
    return metadata_delegated_keys(targets, role, &group->set, err);
}

int ceremony_groups(const struct metadata *m, const char *role, const struct metadata *root,
                    const struct metadata *targets, struct ceremony_groups *ret, struct err *err)
{
    struct ceremony_groups g = {0};
    int r;

    if (m->type == TUF_ROOT)
        r = root_groups(m, root, &g, err);
    else if (strcmp(role, "targets") == 0)
        r = targets_groups(root, &g, err);
    else
        r = content_groups(role, root, targets, &g, err);
    if (r < 0)
        ceremony_groups_release(&g);
    else
        *ret = g;
    return r;
}

void ceremony_groups_release(struct ceremony_groups *g)
{
    for (int i = 0; i < g->n; i++)
        key_set_release(&g->group[i].set);
    g->n = 0;
}

static const struct key *key_in(const struct key_set *set, const char *keyid)
{
    for (size_t i = 0; i < set->n_keys; i++)
        if (strcmp(key_id(set->keys[i]), keyid) == 0)
            return set->keys[i];
    return NULL;
}

bool ceremony_has_say(const struct ceremony_groups *g, const struct key *k)
{
    for (int i = 0; i < g->n; i++) {
        const struct key *there = key_in(&g->group[i].set, key_id(k));

        if (there && key_same(there, k))
            return true;
    }
    return false;
}

/* --- what the signatures are worth ---------------------------------------------------------- */

/* Shape of the list; a key id that stands there twice has every client refuse the file. */
static int read_signatures(const json_t *envelope, const char *what, json_t **ret, struct err *err)
{
    const char *id, *sig;
    json_t *list;
    int r = jsonx_array(envelope, what, "signatures", SIGNATURES_MAX, &list, err);

    for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
        const json_t *o = json_array_get(list, i);

        if (!json_is_object(o))
            return err_set(err, ERR_INVALID, "%s: signature %zu is not an object", what, i);
        if ((r = jsonx_string(o, what, "keyid", KEYID_MAX, &id, err)) < 0 ||
            (r = jsonx_string(o, what, "sig", SIG_MAX, &sig, err)) < 0)
            return r;
        for (size_t j = 0; j < i; j++)
            if (strcmp(id, json_string_value(json_object_get(json_array_get(list, j), "keyid"))) ==
                0)
                return err_set(err, ERR_UNTRUSTED, "%s: two signatures name the same key '%.64s'",
                               what, id);
    }
    if (r == 0)
        *ret = list;
    return r;
}

static int canonical(const json_t *envelope, const char *what, struct buf *ret, struct err *err)
{
    buf_init(ret, CANON_MAX);
    return err_context(err, canon_write(json_object_get(envelope, "signed"), ret, err), "%s", what);
}

static bool is_good(const struct key *k, const struct buf *data, const json_t *signature)
{
    return key_verify(k, data->data, data->len,
                      json_string_value(json_object_get(signature, "sig")));
}

static const char *state_of(const struct ceremony_groups *g, const struct buf *data,
                            const json_t *signature)
{
    const char *id = json_string_value(json_object_get(signature, "keyid"));
    bool known = false;

    for (int i = 0; i < g->n; i++) {
        const struct key *k = key_in(&g->group[i].set, id);

        if (k && is_good(k, data, signature))
            return "good";
        known |= k != NULL;
    }
    return known ? "bad" : "unknown";
}

static const json_t *signature_of(const json_t *list, const char *keyid)
{
    size_t i;
    json_t *o;

    json_array_foreach (list, i, o)
        if (strcmp(json_string_value(json_object_get(o, "keyid")), keyid) == 0)
            return o;
    return NULL;
}

/* Is the i-th key of the set the same as one before it? Then it is no further voice. */
static bool is_double(const struct key_set *set, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (key_same(set->keys[j], set->keys[i]))
            return true;
    return false;
}

static json_t *tally_group(const struct ceremony_group *group, const struct buf *data,
                           const json_t *signatures, bool *ret_complete)
{
    json_t *keys = json_array();
    int have = 0;

    for (size_t i = 0; i < group->set.n_keys; i++) {
        const struct key *k = group->set.keys[i];
        const json_t *signature = signature_of(signatures, key_id(k));
        bool signed_ = signature && is_good(k, data, signature);

        have += signed_ && !is_double(&group->set, i);
        json_array_append_new(keys, json_pack("{s:s, s:b}", "keyid", key_id(k), "signed", signed_));
    }
    *ret_complete &= have >= group->set.threshold;
    return json_pack("{s:s, s:i, s:i, s:o}", "by", group->by, "threshold", group->set.threshold,
                     "have", have, "keys", keys);
}

int ceremony_tally(const json_t *envelope, const struct ceremony_groups *g, const char *what,
                   json_t **ret, struct err *err)
{
    json_auto_t *signatures = json_array();
    json_auto_t *needs = json_array();
    bool complete = true;
    json_t *list, *o;
    struct buf data;
    size_t i;
    int r = read_signatures(envelope, what, &list, err);

    if (r < 0)
        return r;
    r = canonical(envelope, what, &data, err);
    if (r == 0) {
        json_array_foreach (list, i, o)
            json_array_append_new(signatures,
                                  json_pack("{s:O, s:s}", "keyid", json_object_get(o, "keyid"),
                                            "state", state_of(g, &data, o)));
        for (int n = 0; n < g->n; n++)
            json_array_append_new(needs, tally_group(&g->group[n], &data, list, &complete));
        if (json_array_size(signatures) != json_array_size(list) ||
            json_array_size(needs) != (size_t)g->n)
            r = err_set(err, ERR_NOMEM, "out of memory");
    }
    buf_release(&data);
    if (r < 0)
        return r;
    *ret = json_pack("{s:O, s:O, s:o}", "signatures", signatures, "needs", needs, "complete",
                     g->n ? json_boolean(complete) : json_null());
    return *ret ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

const char *ceremony_state(const json_t *tally, const char *keyid)
{
    const json_t *o = signature_of(json_object_get(tally, "signatures"), keyid);

    return json_string_value(json_object_get(o, "state"));
}

int ceremony_check_bad(const json_t *tally, const char *what, struct err *err)
{
    size_t i;
    json_t *o;

    json_array_foreach (json_object_get(tally, "signatures"), i, o)
        if (strcmp(json_string_value(json_object_get(o, "state")), "bad") == 0) {
            err_set(err, ERR_TAMPERED, "'%s' is not what key %.12s signed: it was changed since",
                    what, json_string_value(json_object_get(o, "keyid")));
            return err_remedy(err, "get the file again from whoever made it");
        }
    return 0;
}

/* --- ids ------------------------------------------------------------------------------------ */

int ceremony_check_ids(const struct metadata *m, const char *what, struct err *err)
{
    const json_t *d = m->type == TUF_ROOT ? m->body : json_object_get(m->body, "delegations");
    const char *id;
    json_t *o;

    json_object_foreach (json_object_get(d, "keys"), id, o) {
        _cleanup_(key_free_p)
        struct key *k = NULL;
        int r = key_from_json(o, &k, err);

        if (r < 0)
            return err_context(err, r, "%s: key %.12s", what, id);
        if (strcmp(id, key_id(k)) != 0)
            return err_set(err, ERR_UNTRUSTED, "%s: under the id %.12s stands key %.12s", what, id,
                           key_id(k));
    }
    return 0;
}

/* --- thresholds ----------------------------------------------------------------------------- */

static int check_threshold(const struct key_set *set, const char *role, const char *what,
                           struct err *err)
{
    int usable = 0;

    for (size_t i = 0; i < set->n_keys; i++)
        usable += !is_double(set, i);
    if (usable >= set->threshold)
        return 0;
    err_set(err, ERR_INVALID, "%s: role '%.60s' would need %d signatures and has %d key%s", what,
            role, set->threshold, usable, usable == 1 ? "" : "s");
    return err_remedy(err, "nobody could ever sign for it: make it again with 'firebreak repo "
                           "change'");
}

int ceremony_check_thresholds(const struct metadata *m, const char *what, struct err *err)
{
    static const char *const top[] = {"root", "targets", "snapshot", "timestamp", NULL};
    bool is_root = m->type == TUF_ROOT;
    const char *role;
    int r = 0;

    for (size_t i = 0; r == 0 && (role = is_root ? top[i] : metadata_delegation(m, i)); i++) {
        struct key_set set = {0};

        r = is_root ? metadata_root_keys(m, role, &set, err)
                    : metadata_delegated_keys(m, role, &set, err);
        if (r == 0)
            r = check_threshold(&set, role, what, err);
        key_set_release(&set);
    }
    return r;
}

/* --- merging -------------------------------------------------------------------------------- */

static int check_same_signed(const struct buf *a, const json_t *other, struct err *err)
{
    struct buf b;
    int r = canonical(other, "signed part", &b, err);

    if (r == 0 && (a->len != b.len || memcmp(a->data, b.data, b.len) != 0)) {
        err_set(err, ERR_CONFLICT, "the signed parts differ: these are not signatures of one file");
        r = err_remedy(err, "compare them with 'firebreak repo show FILE --previous OTHER'");
    }
    buf_release(&b);
    return r;
}

static int take_signature(json_t *list, const json_t *from, const struct ceremony_groups *g,
                          const struct buf *data, int *added)
{
    const char *id = json_string_value(json_object_get(from, "keyid"));
    size_t i;
    json_t *o;

    if (strcmp(state_of(g, data, from), "bad") == 0)
        return 0; /* broken on its way; it would count for nothing */
    json_array_foreach (list, i, o) {
        if (strcmp(json_string_value(json_object_get(o, "keyid")), id) != 0)
            continue;
        if (strcmp(state_of(g, data, o), "bad") != 0)
            return 0;
        ++*added;
        return json_array_set_new(list, i, json_deep_copy(from));
    }
    ++*added;
    return json_array_append_new(list, json_deep_copy(from));
}

static int merge_into(json_t *list, const json_t *other, const struct ceremony_groups *g,
                      const struct buf *data, int *added, struct err *err)
{
    json_t *from, *o;
    size_t i;
    int r = check_same_signed(data, other, err);

    if (r == 0)
        r = read_signatures(other, "signatures", &from, err);
    if (r < 0)
        return r;
    json_array_foreach (from, i, o)
        if (take_signature(list, o, g, data, added) < 0)
            return err_set(err, ERR_NOMEM, "out of memory");
    return 0;
}

int ceremony_merge(json_t *envelope, const json_t *other, const struct ceremony_groups *g,
                   int *ret_added, struct err *err)
{
    int added = 0, r;
    struct buf data;
    json_t *list;

    r = read_signatures(envelope, "signatures", &list, err);
    if (r < 0)
        return r;
    r = canonical(envelope, "signed part", &data, err);
    if (r == 0)
        r = merge_into(list, other, g, &data, &added, err);
    buf_release(&data);
    if (r == 0)
        *ret_added = added;
    return r;
}
