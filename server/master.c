/* master: see master.h. */
#include "master.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/hex.h"
#include "server.h"
#include "store/store.h"

#define SETTING "master/mark"
#define TEXT    "firebreak/master-mark/1"

int master_read(struct server *s, struct err *err)
{
    _cleanup_(free_p)
    char *path = path_join(s->config.online_dir, "master.key");
    char text[SHA256_HEX_LEN + 2];
    int r = path ? file_read_secret_line(path, text, sizeof text, err)
                 : err_set(err, ERR_NOMEM, "out of memory");

    if (r == 0 && hex_decode(text, s->master, sizeof s->master) < 0)
        r = err_set(err, ERR_INVALID, "'%s' is not 64 hexadecimal digits", path);
    explicit_bzero(text, sizeof text);
    return r;
}

struct mark {
    char made[SHA256_HEX_LEN + 1], stored[SHA256_HEX_LEN + 1]; /* stored "": the first start */
};

static int on_setting(void *ctx, const struct row_setting *row, struct err *err)
{
    struct mark *m = ctx;

    (void)err;
    if (strcmp(row->key, SETTING) == 0)
        snprintf(m->stored, sizeof m->stored, "%s", row->value);
    return 0;
}

static void make_mark(const struct server *s, char ret[SHA256_HEX_LEN + 1])
{
    const struct hmac_part part = {TEXT, strlen(TEXT)};
    uint8_t mac[SHA256_LEN];

    hmac_sha256(s->master, sizeof s->master, &part, 1, mac);
    hex_encode(mac, sizeof mac, ret);
}

static int keep_mark(struct server *s, const struct mark *m, struct err *err)
{
    const struct row_setting row = {.key = SETTING, .value = m->made};
    struct store_batch *b = store_batch_new();

    if (b)
        store_put_setting(b, &row);
    return store_commit(s->store, b, err);
}

int master_check(struct server *s, struct err *err)
{
    static const struct store_visitor v = {.setting = on_setting};
    struct mark m = {0};
    int r = store_load(s->store, &v, &m, err);

    if (r < 0)
        return r;
    make_mark(s, m.made);
    if (!m.stored[0])
        return keep_mark(s, &m, err);
    if (strcmp(m.stored, m.made) == 0)
        return 0;
    err_set(err, ERR_UNTRUSTED, "'%s/master.key' is not the one that this state's devices have",
            s->config.online_dir);
    return err_remedy(err, "put back the master.key that belongs to '%s'", s->config.state_dir);
}
