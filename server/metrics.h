/*
 * metrics: counters and gauges for /metrics, Prometheus' naming rules, no device labels.
 * To add one: a row here; count with metric_add().
 */
#ifndef FIREBREAK_SERVER_METRICS_H
#define FIREBREAK_SERVER_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/buf.h"

/* X(NAME, "name", type, "help") */
#define METRICS(X)                                                                                 \
    X(HTTP_REQUESTS, "firebreak_http_requests_total", "counter", "Requests answered.")             \
    X(HTTP_PROBLEMS, "firebreak_http_problems_total", "counter",                                   \
      "Requests answered with a problem.")                                                         \
    X(CHECKINS, "firebreak_checkins_total", "counter", "Check-ins acknowledged.")                  \
    X(CHECKINS_REFUSED, "firebreak_checkins_refused_total", "counter", "Check-ins refused.")       \
    X(PERMITS, "firebreak_permits_total", "counter", "Permits given (exposures recorded).")        \
    X(EVENTS, "firebreak_events_total", "counter", "Events taken in.")                             \
    X(UNGRANTED, "firebreak_events_ungranted_total", "counter",                                    \
      "Events that named a release which the device was never granted: evidence of nothing.")      \
    X(HALTS, "firebreak_rollout_halts_total", "counter", "Rollouts halted.")                       \
    X(STORE_FAILURES, "firebreak_store_failures_total", "counter", "Commits that failed.")         \
    X(DEVICES, "firebreak_devices", "gauge", "Devices enrolled.")                                  \
    X(SNAPSHOT, "firebreak_snapshot_version", "gauge", "Version of the published snapshot.")

enum metrics_id {
#define X(name, text, type, help) METRICS_##name,
    METRICS(X)
#undef X
        N_SERVER_METRICS
};

struct metrics {
    _Atomic int64_t v[N_SERVER_METRICS];
};

static inline void metric_add(struct metrics *m, enum metrics_id id, int64_t n)
{
    atomic_fetch_add_explicit(&m->v[id], n, memory_order_relaxed);
}

static inline void metric_set(struct metrics *m, enum metrics_id id, int64_t n)
{
    atomic_store_explicit(&m->v[id], n, memory_order_relaxed);
}

/* Text exposition format. */
int metrics_write(const struct metrics *m, struct buf *ret);

/* A metric with a sample for each value of one label; not one of the counters above: whoever writes
 * it knows the values. Labels need no escaping. */
struct metrics_sample {
    const char *label;
    int64_t value;
};
struct metrics_family {
    const char *name, *type, *help, *label;
};
int metrics_write_family(const struct metrics_family *f, const struct metrics_sample *samples,
                         size_t n, struct buf *ret);

#endif
