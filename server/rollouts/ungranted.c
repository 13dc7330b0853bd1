/* ungranted: see ungranted.h. */
#include "rollouts/ungranted.h"

#include <string.h>

#include "base/log.h"
#include "metrics.h"
#include "server.h"

static bool claims(const struct flight *f, const struct event *e)
{
    return e->kind != EVENT_GOODBYE && e->kind != EVENT_REFUSED &&
           strcmp(e->digest, f->digest) == 0 && strcmp(e->channel, f->channel) == 0;
}

int ungranted_events(const struct flight *f, const struct arm *m, const struct hearing *h)
{
    int n = 0;

    if (arm_is_treated(m) || m->given)
        return 0;
    for (size_t i = 0; i < h->checkin->n_events; i++)
        n += h->fresh[i] && claims(f, &h->checkin->events[i]);
    return n;
}

bool ungranted_count(struct ungranted *u, int n, int64_t boot_ms, int64_t *ret_since)
{
    bool first = u->n == 0;

    u->n += n;
    if (n == 0 || (!first && boot_ms - u->told_ms < UNGRANTED_LOG_MS))
        return false;
    *ret_since = u->n - u->told_n;
    u->told_n = u->n;
    u->told_ms = boot_ms;
    return true;
}

void ungranted_note(struct server *s, const struct flight *f, const struct arm *m,
                    const struct device *d, const struct hearing *h)
{
    int n = ungranted_events(f, m, h);
    int64_t since;

    if (s->metrics && n > 0)
        metric_add(s->metrics, METRICS_UNGRANTED, n);
    if (ungranted_count(&s->rollouts->ungranted, n, clock_boot_ms(s->clock), &since))
        log_warn("checkin",
                 "device %s speaks of %s/%s, which it was never granted: evidence of nothing; "
                 "%lld such event%s since this was last said",
                 d->id, f->channel, f->version, (long long)since, since == 1 ? "" : "s");
}
