/*
 * permit: see permit.h.
 *
 *   {"signed": {"_type": "firebreak-permit", "version": 1, "kind": "rollout" | "baseline",
 *               "device", "channel", "digest", "nonce", "snapshot_version", "server_time",
 *               "valid_s"},
 *    "signatures": [{"keyid", "sig"}]}
 */
#include "permit.h"

#include <string.h>

#include "base/jsonx.h"
#include "field.h"

#define TYPE      "firebreak-permit"
#define FORMAT    1
#define VALID_MAX 86400 /* seconds */

static const char *const kinds[] = {[PERMIT_ROLLOUT] = "rollout", [PERMIT_BASELINE] = "baseline"};

const char *permit_kind_name(enum permit_kind k)
{
    return kinds[k];
}

static const struct field fields[] = {
    FIELD_NAME(struct permit, kind, "kind", kinds),
    FIELD_HEX(struct permit, device, "device"),
    FIELD_TEXT(struct permit, channel, "channel", channel_name_check),
    FIELD_HEX(struct permit, digest, "digest"),
    FIELD_HEX(struct permit, nonce, "nonce"),
    FIELD_INT(struct permit, snapshot_version, "snapshot_version", 1, FIELD_INT_MAX),
    FIELD_INT(struct permit, server_time, "server_time", 0, FIELD_INT_MAX),
    FIELD_INT(struct permit, valid_s, "valid_s", 1, VALID_MAX),
    {0},
};

int permit_sign(const struct permit *p, const struct signer *signer, json_t **ret, struct err *err)
{
    json_auto_t *body = json_object();
    json_auto_t *envelope = NULL;
    int r = field_set(body, "_type", json_string(TYPE), err);

    if (r == 0)
        r = field_set(body, "version", json_integer(FORMAT), err);
    if (r == 0)
        r = field_write(body, "permit", fields, p, err);
    if (r < 0)
        return r;
    envelope = envelope_new(body);
    if (!envelope)
        return err_set(err, ERR_NOMEM, "out of memory while writing the permit");
    r = err_context(err, envelope_sign(envelope, signer, err), "permit");
    if (r < 0)
        return r;
    *ret = take_ptr(envelope);
    return 0;
}

static int read_permit(const json_t *envelope, struct permit *ret, struct err *err)
{
    json_t *body = NULL;
    int64_t format;
    int r = jsonx_object(envelope, "permit", "signed", &body, err);

    if (r == 0)
        r = jsonx_type(body, "permit", TYPE, err);
    if (r == 0)
        r = jsonx_int(body, "permit", "version", FORMAT, FORMAT, &format, err);
    if (r == 0)
        r = field_read(body, "permit", fields, ret, err);
    return r;
}

/* What was answered must be what was asked. */
static int check_binding(const struct permit *p, const struct permit_request *rq, struct err *err)
{
    const struct {
        const char *name, *given, *asked;
    } rows[] = {
        {"device", p->device, rq->device},
        {"channel", p->channel, rq->channel},
        {"digest", p->digest, rq->digest},
        {"nonce", p->nonce, rq->nonce},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].given, rows[i].asked) != 0)
            return err_set(err, ERR_BAD_PERMIT, "permit is for another %s: '%s', not '%s'",
                           rows[i].name, rows[i].given, rows[i].asked);
    if (p->snapshot_version != rq->snapshot_version)
        return err_set(err, ERR_BAD_PERMIT,
                       "permit is for another snapshot_version: %lld, not %lld",
                       (long long)p->snapshot_version, (long long)rq->snapshot_version);
    return 0;
}

static int check_life(const struct permit *p, const struct permit_request *rq, const char *boot_id,
                      int64_t now_boot_ms, struct err *err)
{
    if (!boot_id[0] || strcmp(boot_id, rq->boot_id) != 0)
        return err_set(err, ERR_BAD_PERMIT,
                       "permit is void: its nonce was made in another boot_id");
    if (now_boot_ms < rq->made_boot_ms)
        return err_set(err, ERR_BAD_PERMIT, "permit is void: the boot clock went back");
    if (now_boot_ms - rq->made_boot_ms >= p->valid_s * 1000)
        return err_set(err, ERR_BAD_PERMIT,
                       "permit has expired: valid_s is %lld, and its nonce is %lld s old",
                       (long long)p->valid_s, (long long)((now_boot_ms - rq->made_boot_ms) / 1000));
    return 0;
}

int permit_check(const json_t *envelope, const struct key_set *permit_keys,
                 const struct permit_request *rq, const char *boot_id, int64_t now_boot_ms,
                 struct permit *ret, struct err *err)
{
    struct permit p;
    int r;

    /* A set that asks for no signature would take anything. */
    if (permit_keys->n_keys == 0 || permit_keys->threshold < 1)
        return err_set(err, ERR_UNDERSIGNED, "permit cannot be verified: no permit keys in force");
    r = envelope_verify(envelope, permit_keys, "permit", err);
    if (r < 0)
        return r;
    r = read_permit(envelope, &p, err);
    if (r < 0 && err)
        err->code = ERR_BAD_PERMIT;
    if (r < 0)
        return -ERR_BAD_PERMIT;
    r = check_binding(&p, rq, err);
    if (r == 0)
        r = check_life(&p, rq, boot_id, now_boot_ms, err);
    if (r == 0)
        *ret = p;
    return r;
}
