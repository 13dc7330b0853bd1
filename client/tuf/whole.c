/* whole: see whole.h. */
#include "whole.h"

#include <signal.h>

#include "base/file.h"

static void hold_signals(sigset_t *ret_before)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, ret_before);
}

int whole_write(const char *path, const void *data, size_t len, struct err *err)
{
    sigset_t before;
    int r;

    hold_signals(&before);
    r = file_write_durable(path, data, len, 0644, err);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return r;
}

static int put(void *ctx, const char *name, const void *data, size_t len, struct err *err)
{
    const struct tuf_store store = tuf_store_dir(ctx);
    sigset_t before;
    int r;

    hold_signals(&before);
    r = store.put(store.ctx, name, data, len, err);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return r;
}

struct tuf_store whole_store(const char *dir)
{
    struct tuf_store store = tuf_store_dir(dir);

    store.put = put;
    return store;
}
