/* metrics: the text exposition format of Prometheus. See metrics.h. */
#include "metrics.h"

static const struct {
    const char *name, *type, *help;
} rows[N_SERVER_METRICS] = {
#define X(id, name, type, help) [METRICS_##id] = {name, type, help},
    METRICS(X)
#undef X
};

static int write_head(const char *name, const char *type, const char *help, struct buf *ret)
{
    return buf_addf(ret, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

int metrics_write(const struct metrics *m, struct buf *ret)
{
    int r = 0;

    for (int i = 0; r == 0 && i < N_SERVER_METRICS; i++) {
        r = write_head(rows[i].name, rows[i].type, rows[i].help, ret);
        if (r == 0)
            r = buf_addf(ret, "%s %lld\n", rows[i].name,
                         (long long)atomic_load_explicit(&m->v[i], memory_order_relaxed));
    }
    return r;
}

int metrics_write_family(const struct metrics_family *f, const struct metrics_sample *samples,
                         size_t n, struct buf *ret)
{
    int r = write_head(f->name, f->type, f->help, ret);

    for (size_t i = 0; r == 0 && i < n; i++)
        r = buf_addf(ret, "%s{%s=\"%s\"} %lld\n", f->name, f->label, samples[i].label,
                     (long long)samples[i].value);
    return r;
}
