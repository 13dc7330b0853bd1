/* metrics: the text exposition format of Prometheus. See metrics.h. */
#include "metrics.h"

static const struct {
    const char *name, *type, *help;
} rows[N_SERVER_METRICS] = {
#define X(id, name, type, help) [METRICS_##id] = {name, type, help},
    METRICS(X)
#undef X
};

int metrics_write(const struct metrics *m, struct buf *ret)
{
    int r = 0;

    for (int i = 0; r == 0 && i < N_SERVER_METRICS; i++)
        r = buf_addf(ret, "# HELP %s %s\n# TYPE %s %s\n%s %lld\n", rows[i].name, rows[i].help,
                     rows[i].name, rows[i].type, rows[i].name,
                     (long long)atomic_load_explicit(&m->v[i], memory_order_relaxed));
    return r;
}
