/* tally: see tally.h. What is read from it is tally_read.c. */
#include "fleet/tally.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "fleet/tally_internal.h"

#define DEVICES_PER_BUCKET 32

/* --- shape ------------------------------------------------------------------------------------ */

void tally_init(struct tally *t, const struct tally_config *config)
{
    int64_t want = config->devices / DEVICES_PER_BUCKET;

    *t = (struct tally){.buckets = TALLY_MIN_BUCKETS};
    while (t->buckets < want && t->buckets < TALLY_MAX_BUCKETS)
        t->buckets *= 2;
    t->shift = 64 - __builtin_ctz((unsigned)t->buckets);
    ages_init(&t->overdue, config->stuck_ticks);
    ages_init(&t->healthy, config->slow_window_ms);
    ages_init(&t->soaking, config->direct_window_ms + 1); /* one that is as old still soaks */
    /* The slots before the open one are those before the start. */
    t->heard.slot_ms = config->interval_ms;
    t->heard.now = TALLY_HEARD_SLOTS - 1;
    for (int i = 0; i < t->heard.now; i++)
        t->heard.ended_ms[i] = -(t->heard.now - 1 - i) * t->heard.slot_ms;
}

static void row_free(struct tally_row *r)
{
    if (!r)
        return;
    free(r->members); /* one piece of memory for all */
    free(r);
}

void tally_release(struct tally *t)
{
    for (int c = 0; c < GATE_MAX_COHORTS; c++) {
        row_free(t->rows[c][0]);
        row_free(t->rows[c][1]);
    }
    free(t->next);
    *t = (struct tally){0};
}

static struct tally_row *row_new(const struct tally *t)
{
    size_t fine = (size_t)t->buckets, coarse = fine / TALLY_MIN_BUCKETS;
    struct tally_row *r = calloc(1, sizeof *r);
    int32_t *at = calloc(fine + N_HISTS * (fine + coarse), sizeof *at);

    if (!r || !at) {
        free(r);
        free(at);
        return NULL;
    }
    r->members = at;
    at += fine;
    for (int h = 0; h < N_HISTS; h++) {
        r->fine[h] = at;
        r->coarse[h] = at + fine;
        at += fine + coarse;
    }
    return r;
}

static struct tally_row *row_at(struct tally *t, int cohort, bool canary)
{
    struct tally_row **r = &t->rows[cohort][canary];

    if (!*r)
        *r = row_new(t);
    return *r;
}

/* --- members ---------------------------------------------------------------------------------- */

static int room(struct tally *t, uint32_t device_index)
{
    int64_t n = t->n_next ? t->n_next : 64;
    int32_t *p;

    if (device_index < t->n_next)
        return 0;
    while (n <= device_index)
        n *= 2;
    p = realloc(t->next, (size_t)n * sizeof *p);
    if (!p)
        return -ERR_NOMEM;
    memset(p + t->n_next, 0, (size_t)(n - t->n_next) * sizeof *p);
    t->next = p;
    t->n_next = n;
    return 0;
}

static void link_member(struct tally *t, struct tally_row *r, const struct arm *m, uint32_t index)
{
    int32_t *first = &r->members[tally_bucket(t, m->u)];

    t->next[index] = *first;
    *first = (int32_t)index + 1;
    r->size++;
}

static void unlink_member(struct tally *t, struct tally_row *r, const struct arm *m, uint32_t index)
{
    int32_t *at = &r->members[tally_bucket(t, m->u)];

    while (*at && *at != (int32_t)index + 1)
        at = &t->next[*at - 1];
    if (!*at)
        return;
    *at = t->next[index];
    r->size--;
}

int tally_join(struct tally *t, struct arm *m, uint32_t device_index)
{
    struct tally_row *r = row_at(t, m->cohort, m->canary);

    if (!r || room(t, device_index) < 0)
        return -ERR_NOMEM;
    m->tallied = (struct tallied){0};
    link_member(t, r, m, device_index);
    tally_note(t, m);
    return 0;
}

/* --- contributions ---------------------------------------------------------------------------- */

static uint16_t bit(bool is, int b)
{
    return is ? (uint16_t)b : 0;
}

static int heard_slot(int32_t slot)
{
    return slot % TALLY_HEARD_SLOTS;
}

/* Those asked every tick stand by tick, the others by time. */
static int wait_slot(const struct arm *m, int32_t slot)
{
    return m->tracked ? slot % ARM_AWAKE_TICKS : ARM_AWAKE_TICKS + heard_slot(slot);
}

static struct tallied untreated(const struct arm *m)
{
    struct tallied x = {.is = bit(!m->running, IS_UNTREATED)};

    if (m->running)
        return x; /* has it from elsewhere */
    if (arm_is_ready(m)) {
        x.is |= bit(m->evidence && !m->crash_spent, IS_CONTROL);
        x.slot = m->tracked ? m->ready_tick : m->heard;
        x.hist = (uint8_t)((m->paced ? HIST_PACED : HIST_GRANTABLE) + wait_slot(m, x.slot));
        if (x.slot < 0)
            x.hist = 0;
    } else if (!m->away && !m->ready && !m->held && m->heard >= 0) {
        x.slot = m->heard;
        x.hist = (uint8_t)(HIST_STAGING + heard_slot(m->heard));
    }
    x.is |= bit(!m->held && (m->seen_tick >= 0 || m->heard >= 0), IS_PART);
    return x;
}

static struct tallied treated(const struct tally *t, const struct arm *m)
{
    bool healthy = m->state == ARM_HEALTHY;
    bool soaks =
        !m->soaked && m->acks > 0 && m->state != ARM_ROLLED_BACK && m->state != ARM_RECALLED;
    bool unacknowledged = arm_is_unacknowledged(m);
    struct tallied x = {
        .is = (uint16_t)(IS_TREATED | bit(m->canary, IS_CANARY) | bit(healthy, IS_HEALTHY) |
                         bit(!healthy && (m->away || m->excluded), IS_EXCUSED) |
                         bit(unacknowledged, IS_UNACKNOWLEDGED) | bit(m->direct, IS_DIRECT) |
                         bit(m->booted, IS_BOOTED) | bit(soaks, IS_SOAKING))};

    x.heard = m->tracked ? m->seen_tick : m->heard;
    if (!m->away && x.heard >= 0) {
        x.is |= IS_HEARD;
        x.hist = (uint8_t)(HIST_GRANTABLE + wait_slot(m, x.heard));
    }
    if (unacknowledged)
        x.slot = ages_slot(&t->overdue, m->granted_tick);
    if (soaks)
        x.soaks = ages_slot(&t->soaking, m->granted_ms);
    if (healthy)
        x.healthy = ages_slot(&t->healthy, m->healthy_ms);
    return x;
}

static void hist_add(const struct tally *t, struct tally_row *r, int hist, uint64_t u, int by)
{
    int bucket = tally_bucket(t, u);

    r->total[hist] += by;
    r->fine[hist][bucket] += by;
    r->coarse[hist][bucket / TALLY_MIN_BUCKETS] += by;
}

static void add_untreated(struct tally *t, const struct arm *m, const struct tallied *x, int by)
{
    struct tally_row *r = t->rows[m->cohort][m->canary];

    if (!(x->is & IS_UNTREATED))
        return;
    hist_add(t, r, HIST_ALL, m->u, by);
    if (x->is & IS_PART)
        hist_add(t, r, HIST_PART, m->u, by);
    if (!tally_is_counted(t, x))
        return;
    hist_add(t, r, x->hist, m->u, by);
    if (x->is & IS_CONTROL)
        t->sums[m->cohort].controls[tally_wait_slot(x->hist)] += by;
}

static void add_treated(struct tally *t, const struct arm *m, const struct tallied *x, int by)
{
    struct tally_sums *s = &t->sums[m->cohort];

    s->admitted += by;
    s->canary_admitted += x->is & IS_CANARY ? by : 0;
    s->healthy += x->is & IS_HEALTHY ? by : 0;
    s->excused += x->is & IS_EXCUSED ? by : 0;
    s->direct += x->is & IS_DIRECT ? by : 0;
    s->booted += x->is & IS_BOOTED ? by : 0;
    if (x->is & IS_HEARD && tally_is_lately(t, x->hist, x->heard))
        s->heard[tally_wait_slot(x->hist)] += by;
    if (x->is & IS_UNACKNOWLEDGED)
        ages_add(&t->overdue, m->cohort, x->slot, by);
    if (x->is & IS_SOAKING)
        ages_add(&t->soaking, m->cohort, x->soaks, by);
    if (x->is & IS_HEALTHY)
        ages_add(&t->healthy, m->cohort, x->healthy, by);
}

static void add(struct tally *t, const struct arm *m, const struct tallied *x, int by)
{
    if (x->is & IS_TREATED)
        add_treated(t, m, x, by);
    else
        add_untreated(t, m, x, by);
}

static bool is_same(const struct tallied *a, const struct tallied *b)
{
    return a->is == b->is && a->hist == b->hist && a->slot == b->slot && a->soaks == b->soaks &&
           a->healthy == b->healthy && a->heard == b->heard;
}

void tally_note(struct tally *t, struct arm *m)
{
    struct tallied now;

    if (!m->known || m->cohort < 0)
        return;
    now = arm_is_treated(m) ? treated(t, m) : untreated(m);
    if (is_same(&now, &m->tallied))
        return;
    add(t, m, &m->tallied, -1);
    add(t, m, &now, 1);
    m->tallied = now;
}

int tally_make_canary(struct tally *t, struct arm *m, uint32_t device_index)
{
    if (m->canary)
        return 0;
    if (m->cohort >= 0) {
        struct tally_row *to = row_at(t, m->cohort, true);

        if (!to)
            return -ERR_NOMEM;
        add(t, m, &m->tallied, -1);
        m->tallied = (struct tallied){0};
        unlink_member(t, t->rows[m->cohort][0], m, device_index);
        link_member(t, to, m, device_index);
    }
    m->canary = true;
    tally_note(t, m);
    return 0;
}

void tally_heard(const struct tally *t, struct arm *m)
{
    m->heard = t->heard.now;
}

void tally_heard_before(const struct tally *t, struct arm *m, int64_t ms_ago)
{
    m->heard = -1;
    if (ms_ago >= 0 && ms_ago <= 2 * t->heard.slot_ms)
        m->heard = TALLY_HEARD_SLOTS - 2 - (ms_ago > t->heard.slot_ms);
}

void tally_again(struct tally *t, struct arms *arms)
{
    for (int c = 0; c < GATE_MAX_COHORTS; c++)
        for (int k = 0; k < 2; k++)
            for (int h = 0; t->rows[c][k] && h < N_HISTS; h++)
                tally_empty(t, t->rows[c][k], h);
    memset(t->sums, 0, sizeof t->sums);
    ages_clear(&t->overdue);
    ages_clear(&t->soaking);
    ages_clear(&t->healthy);
    for (int64_t i = 0; i < arms->n; i++) {
        arms->rows[i].tallied = (struct tallied){0};
        tally_note(t, &arms->rows[i]);
    }
}

/* --- time ------------------------------------------------------------------------------------- */

static void empty_slot(struct tally *t, int slot)
{
    for (int c = 0; c < GATE_MAX_COHORTS; c++) {
        t->sums[c].controls[slot] = 0;
        t->sums[c].heard[slot] = 0;
        for (int k = 0; k < 2; k++) {
            struct tally_row *r = t->rows[c][k];

            if (!r)
                continue;
            tally_empty(t, r, HIST_GRANTABLE + slot);
            tally_empty(t, r, HIST_PACED + slot);
            if (slot >= ARM_AWAKE_TICKS)
                tally_empty(t, r, HIST_STAGING + slot - ARM_AWAKE_TICKS);
        }
    }
}

static void forget_oldest(struct tally *t)
{
    empty_slot(t, ARM_AWAKE_TICKS + heard_slot(t->heard.oldest));
    t->heard.oldest++;
}

void tally_expire(struct tally *t, int64_t now_ms)
{
    ages_expire(&t->overdue, t->tick);
    ages_expire(&t->soaking, now_ms);
    ages_expire(&t->healthy, now_ms);
    while (t->heard.oldest < t->heard.now &&
           now_ms - t->heard.ended_ms[heard_slot(t->heard.oldest)] > 2 * t->heard.slot_ms)
        forget_oldest(t);
}

static void turn_heard(struct tally *t, int64_t now_ms)
{
    if (now_ms - t->heard.begun_ms < t->heard.slot_ms)
        return;
    t->heard.ended_ms[heard_slot(t->heard.now)] = now_ms;
    t->heard.begun_ms = now_ms;
    if (t->heard.now + 1 - t->heard.oldest >= TALLY_HEARD_SLOTS)
        forget_oldest(t);
    t->heard.now++;
}

void tally_turn(struct tally *t, int32_t tick, int64_t now_ms)
{
    tally_expire(t, now_ms);
    t->tick = tick;
    empty_slot(t, tick % ARM_AWAKE_TICKS);
    ages_turn(&t->overdue, tick);
    ages_turn(&t->soaking, now_ms);
    ages_turn(&t->healthy, now_ms);
    turn_heard(t, now_ms);
}
