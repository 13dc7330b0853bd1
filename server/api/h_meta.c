/* h_meta: the page, and what machines ask about the server itself. */
#include <string.h>

#include "embedded.h"
#include "api/handlers.h"
#include "http/http.h"
#include "metrics.h"
#include "repo/repo.h"
#include "rollouts/rollouts.h"
#include "store/store.h"

#define METRICS_BYTES_MAX 65536
#define PAGE_BYTES_MAX    1000000

/* Metrics of policies in flight are named in the answer; more than so many are left out. */
#define EVIDENCE_SERIES_MAX 64

void h_page(struct request *rq)
{
    struct buf b;

    buf_init(&b, PAGE_BYTES_MAX);
    buf_adds(&b, embedded_page);
    reply_buf(rq, 200, "text/html; charset=utf-8", &b);
}

/* Healthy: it takes check-ins in and keeps them. */
void h_healthz(struct request *rq)
{
    struct server *s = rq->server;
    bool ok = !atomic_load(&s->degraded) && !store_failed(s->store);
    json_auto_t *o = json_pack("{s:s}", "status", ok ? "ok" : "degraded");

    reply_json(rq, ok ? 200 : 503, o);
}

static void write_expiry(struct server *s, struct buf *ret)
{
    static const struct metrics_family family = {
        "firebreak_metadata_expiry_timestamp_seconds", "gauge",
        "Unix time at which the published metadata of a role expires.", "role"};
    struct repo_role roles[REPO_ROLES_MAX];
    struct metrics_sample samples[REPO_ROLES_MAX];
    size_t n = repo_roles(s, roles);

    for (size_t i = 0; i < n; i++)
        samples[i] = (struct metrics_sample){roles[i].name, roles[i].expires_s};
    metrics_write_family(&family, samples, n, ret);
}

static void write_evidence(struct server *s, struct buf *ret)
{
    static const struct metrics_family family = {
        "firebreak_evidence_trials", "gauge",
        "Trials of both arms that the gates of rollouts in flight have compared.", "metric"};
    struct metrics_sample samples[EVIDENCE_SERIES_MAX];
    struct rollouts_trials trials[EVIDENCE_SERIES_MAX];
    int n;

    pthread_mutex_lock(&s->site);
    n = rollouts_trials(s, trials, EVIDENCE_SERIES_MAX);
    pthread_mutex_unlock(&s->site);
    for (int i = 0; i < n; i++)
        samples[i] = (struct metrics_sample){trials[i].metric, trials[i].n};
    metrics_write_family(&family, samples, (size_t)n, ret);
}

void h_metrics(struct request *rq)
{
    struct server *s = rq->server;
    struct store_stats stats;
    struct buf b;

    store_get_stats(s->store, &stats);
    metric_set(s->metrics, METRICS_STORE_FAILURES, stats.failures);
    metric_set(s->metrics, METRICS_SNAPSHOT, repo_snapshot_version(s->repo));
    buf_init(&b, METRICS_BYTES_MAX);
    metrics_write(s->metrics, &b);
    write_evidence(s, &b);
    write_expiry(s, &b);
    reply_buf(rq, 200, "text/plain; version=0.0.4; charset=utf-8", &b);
}
