/* audit_chain: see audit_chain.h. */
#include "audit/audit_chain.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/jsonx.h"
#include "tuf/canon.h"

#define ENTRY_MAX 1000000 /* canonical bytes */

void audit_chain_init(struct audit_chain *c)
{
    c->seq = 0;
    memset(c->head, '0', SHA256_HEX_LEN);
    c->head[SHA256_HEX_LEN] = '\0';
}

static int entry_hash(const json_t *entry, char ret[SHA256_HEX_LEN + 1], struct err *err)
{
    json_auto_t *copy = json_copy((json_t *)entry);
    _cleanup_(buf_release)
    struct buf text;
    int r;

    buf_init(&text, ENTRY_MAX);
    if (!copy || json_object_del(copy, "hash") < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    r = canon_write(copy, &text, err);
    if (r == 0)
        sha256_hex(text.data, text.len, ret);
    return r;
}

static int broken(struct err *err, int64_t seq, const char *why)
{
    err_set(err, ERR_TAMPERED, "audit entry %lld %s", (long long)seq, why);
    return err_remedy(err,
                      "compare with a copy kept elsewhere; entries from there on are doubtful");
}

int audit_chain_add(struct audit_chain *c, const json_t *entry, struct err *err)
{
    char hash[SHA256_HEX_LEN + 1], said[SHA256_HEX_LEN + 1], prev[SHA256_HEX_LEN + 1];
    int64_t seq;
    int r = jsonx_int(entry, "audit entry", "seq", 1, INT64_MAX, &seq, err);

    if (r == 0)
        r = jsonx_sha256(entry, "audit entry", "hash", said, err);
    if (r == 0)
        r = jsonx_sha256(entry, "audit entry", "prev", prev, err);
    if (r == 0)
        r = entry_hash(entry, hash, err);
    if (r < 0)
        return r;
    if (seq != c->seq + 1)
        return broken(err, c->seq + 1, "is missing");
    if (strcmp(prev, c->head) != 0)
        return broken(err, seq, "does not follow the one before it");
    if (strcmp(hash, said) != 0)
        return broken(err, seq, "was changed");
    c->seq = seq;
    memcpy(c->head, hash, sizeof c->head);
    return 0;
}
