/* envelope: see envelope.h. */
#include "tuf/envelope.h"

#include <string.h>

#include "base/jsonx.h"
#include "tuf/canon.h"

#define ENVELOPE_MAX     (16 * 1024 * 1024) /* bytes of a canonical "signed" */
#define SIGNATURES_MAX   1024
#define SIGNER_ID_MAX    256
#define SIGNATURE_DIGITS 16384 /* longest foreign signature that is read past */

/* One signature as read; strings are borrowed from the envelope. */
struct signature {
    const char *keyid;
    const char *sig;
};

void key_set_release(struct key_set *s)
{
    for (size_t i = 0; i < s->n_keys; i++)
        key_free(s->keys[i]);
    free(s->keys);
    *s = (struct key_set){0};
}

static int canonical_signed(const json_t *envelope, const char *what, struct buf *ret,
                            struct err *err)
{
    json_t *body;
    int r = jsonx_object(envelope, what, "signed", &body, err);

    if (r < 0)
        return r;
    return err_context(err, canon_write(body, ret, err), "%s", what);
}

/* Shape of the list and the refusal of duplicate ids, before any signature is worth checking. */
static int read_signatures(const json_t *list, const char *what, struct signature *ret,
                           struct err *err)
{
    size_t n = json_array_size(list);

    for (size_t i = 0; i < n; i++) {
        const json_t *o = json_array_get(list, i);
        int r;

        if (!json_is_object(o))
            return err_set(err, ERR_INVALID, "%s: signature %zu is not an object", what, i);
        if ((r = jsonx_string(o, what, "keyid", SIGNER_ID_MAX, &ret[i].keyid, err)) < 0 ||
            (r = jsonx_string(o, what, "sig", SIGNATURE_DIGITS, &ret[i].sig, err)) < 0)
            return r;
        for (size_t j = 0; j < i; j++)
            if (!strcmp(ret[i].keyid, ret[j].keyid))
                return err_set(err, ERR_UNTRUSTED, "%s: two signatures name the same key '%.64s'",
                               what, ret[i].keyid);
    }
    return 0;
}

static const struct key *key_of(const struct key_set *set, const char *keyid)
{
    for (size_t i = 0; i < set->n_keys; i++)
        if (!strcmp(key_id(set->keys[i]), keyid))
            return set->keys[i];
    return NULL;
}

/* How many different public keys of the set signed; one key under two ids counts once. `counted`
 * has room for n keys. */
static int count_signers(const struct buf *data, const struct key_set *set,
                         const struct signature *sigs, size_t n, const struct key **counted)
{
    int found = 0;

    for (size_t i = 0; i < n; i++) {
        const struct key *k = key_of(set, sigs[i].keyid);
        int j = 0;

        if (!k || !key_verify(k, data->data, data->len, sigs[i].sig))
            continue;
        while (j < found && !key_same(counted[j], k))
            j++;
        if (j == found)
            counted[found++] = k;
    }
    return found;
}

int envelope_verify(const json_t *envelope, const struct key_set *set, const char *what,
                    struct err *err)
{
    _cleanup_(free_p)
    struct signature *sigs = NULL;
    _cleanup_(free_p)
    const struct key **counted = NULL;
    json_t *list;
    struct buf data;
    size_t n;
    int r, found = 0;

    if (set->threshold < 1)
        return err_set(err, ERR_INVALID, "%s: threshold is below 1", what);
    r = jsonx_array(envelope, what, "signatures", SIGNATURES_MAX, &list, err);
    if (r < 0)
        return r;
    n = json_array_size(list);
    sigs = calloc(n + 1, sizeof *sigs);
    counted = calloc(n + 1, sizeof *counted);
    if (!sigs || !counted)
        return err_set(err, ERR_NOMEM, "out of memory");
    r = read_signatures(list, what, sigs, err);
    if (r < 0)
        return r;
    buf_init(&data, ENVELOPE_MAX);
    r = canonical_signed(envelope, what, &data, err);
    if (r == 0)
        found = count_signers(&data, set, sigs, n, counted);
    buf_release(&data);
    if (r < 0)
        return r;
    if (found < set->threshold)
        return err_set(err, ERR_UNDERSIGNED, "%s: %d of %d needed signatures are valid", what,
                       found, set->threshold);
    return 0;
}

json_t *envelope_new(json_t *signed_)
{
    return json_pack("{s:O, s:[]}", "signed", signed_, "signatures");
}

/* Replace the signature of this key id, or add one. Steals `entry`. */
static int put_signature(json_t *list, const char *keyid, json_t *entry)
{
    size_t i;
    json_t *old;

    json_array_foreach (list, i, old) {
        const char *id = json_string_value(json_object_get(old, "keyid"));

        if (id && !strcmp(id, keyid))
            return json_array_set_new(list, i, entry);
    }
    return json_array_append_new(list, entry);
}

int envelope_sign(json_t *envelope, const struct signer *signer, struct err *err)
{
    const char *keyid = key_id(signer_key(signer));
    char hex[KEY_SIG_MAX + 1];
    json_t *list, *entry;
    struct buf data;
    int r;

    r = jsonx_array(envelope, "envelope", "signatures", SIGNATURES_MAX, &list, err);
    if (r < 0)
        return r;
    buf_init(&data, ENVELOPE_MAX);
    r = canonical_signed(envelope, "envelope", &data, err);
    if (r == 0)
        r = signer_sign(signer, data.data, data.len, hex, err);
    buf_release(&data);
    if (r < 0)
        return r;
    entry = json_pack("{s:s, s:s}", "keyid", keyid, "sig", hex);
    if (!entry || put_signature(list, keyid, entry) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    return 0;
}

static int append(const char *data, size_t len, void *ctx)
{
    return buf_add(ctx, data, len) < 0 ? -1 : 0;
}

int envelope_dump(const json_t *envelope, struct buf *ret, struct err *err)
{
    if (json_dump_callback(envelope, append, ret, JSON_COMPACT | JSON_SORT_KEYS) < 0)
        return err_set(err, ERR_TOO_LARGE, "metadata does not fit into %zu bytes", ret->cap);
    return 0;
}
