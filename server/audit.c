/* audit: see audit.h. */
#include "audit.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/hex.h"
#include "server.h"
#include "store/store.h"
#include "tuf/canon.h"

#define ROW_MAX 1000000 /* canonical bytes of a row */

struct audit {
    int64_t seq; /* of the last row; 0: none */
    char head[SHA256_HEX_LEN + 1];
};

int64_t audit_last(const struct audit *a)
{
    return a->seq;
}

static void begin(struct audit *a)
{
    a->seq = 0;
    memset(a->head, '0', SHA256_HEX_LEN);
    a->head[SHA256_HEX_LEN] = '\0';
}

json_t *audit_to_json(const struct row_audit *row)
{
    json_t *o =
        json_pack("{s:I, s:I, s:s, s:s, s:s, s:s?, s:s}", "seq", (json_int_t)row->seq, "at_ms",
                  (json_int_t)row->at_ms, "actor", row->actor, "action", row->action, "subject",
                  row->subject, "detail", row->detail, "prev", row->prev);

    if (o && row->hash)
        json_object_set_new(o, "hash", json_string(row->hash));
    return o;
}

/* Of the row without its hash. */
static int row_hash(const struct row_audit *row, char ret[SHA256_HEX_LEN + 1], struct err *err)
{
    struct row_audit bare = *row;
    json_auto_t *o = NULL;
    struct buf text;
    int r;

    bare.hash = NULL;
    o = audit_to_json(&bare);
    if (!o)
        return err_set(err, ERR_INVALID, "audit row %lld is not UTF-8 text", (long long)row->seq);
    buf_init(&text, ROW_MAX);
    r = canon_write(o, &text, err);
    if (r == 0)
        sha256_hex(text.data, text.len, ret);
    buf_release(&text);
    return r;
}

static int check_row(void *ctx, const struct row_audit *row, struct err *err)
{
    struct audit *a = ctx;
    char hash[SHA256_HEX_LEN + 1];
    const char *why = NULL;
    int r = row_hash(row, hash, err);

    if (r < 0)
        return r;
    if (row->seq != a->seq + 1)
        why = "is missing";
    else if (strcmp(row->prev, a->head) != 0)
        why = "does not follow the one before it";
    else if (strcmp(row->hash, hash) != 0)
        why = "was changed";
    if (why) {
        err_set(err, ERR_TAMPERED, "audit entry %lld %s", (long long)a->seq + 1, why);
        return err_remedy(err, "restore the database from a backup; keep this one as evidence");
    }
    a->seq = row->seq;
    memcpy(a->head, hash, sizeof a->head);
    return 0;
}

int audit_reload(struct server *s, struct err *err)
{
    static const struct store_visitor v = {.audit = check_row};
    struct audit fresh;
    int r;

    begin(&fresh);
    r = store_load(s->store, &v, &fresh, err);
    if (r == 0)
        *s->audit = fresh;
    return r;
}

int audit_open(struct server *s, struct audit **ret, struct err *err)
{
    struct audit *a = calloc(1, sizeof *a);
    int r;

    if (!a)
        return err_set(err, ERR_NOMEM, "out of memory");
    s->audit = a;
    r = audit_reload(s, err);
    if (r < 0) {
        s->audit = NULL;
        free(a);
        return r;
    }
    *ret = a;
    return 0;
}

void audit_free(struct audit *a)
{
    free(a);
}

int audit_add(struct server *s, struct store_batch *b, const char *actor, const char *action,
              const char *subject, const json_t *detail)
{
    struct audit *a = s->audit;
    _cleanup_(free_p)
    char *text = detail ? json_dumps(detail, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    char hash[SHA256_HEX_LEN + 1];
    struct row_audit row = {.seq = a->seq + 1,
                            .at_ms = clock_wall_ms(s->clock),
                            .actor = actor,
                            .action = action,
                            .subject = subject,
                            .detail = text,
                            .prev = a->head};
    int r;

    if (detail && !text)
        return -ERR_NOMEM;
    r = row_hash(&row, hash, NULL);
    if (r < 0)
        return r;
    row.hash = hash;
    store_put_audit(b, &row);
    a->seq = row.seq;
    memcpy(a->head, hash, sizeof a->head);
    return 0;
}
