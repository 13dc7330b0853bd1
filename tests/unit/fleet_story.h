/*
 * fleet_story: a server and N devices that check in tick by tick; what tests of rollouts share.
 */
#ifndef FIREBREAK_TESTS_FLEET_STORY_H
#define FIREBREAK_TESTS_FLEET_STORY_H

#include "fleet_site.h"

#define N       60
#define TICK_MS 1000 /* of the policy 'demo' */

struct story {
    struct site *site;
    struct dev devs[N];
};

__attribute__((unused)) static int set_up(void **state)
{
    struct story *y = calloc(1, sizeof *y);

    y->site = site_new(SOURCE_DIR "/canary/policies");
    for (int i = 0; i < N; i++)
        dev_enrol_new(y->site, &y->devs[i], y->site->token);
    *state = y;
    return 0;
}

__attribute__((unused)) static int tear_down(void **state)
{
    struct story *y = *state;

    site_free(y->site);
    free(y);
    return 0;
}

static const char *digest(const struct story *y, int release)
{
    return y->site->repo.releases[release - 1].digest;
}

__attribute__((unused)) static void start(struct story *y, int release)
{
    char version[4];
    struct err err = {0};

    snprintf(version, sizeof version, "%d", release);
    must(site_act(y->site, rollouts_start, version, &err), &err);
    for (int i = 0; i < N; i++)
        strcpy(y->devs[i].ready, digest(y, release));
}

/* What a permit does to a device. */
typedef void (*apply_fn)(struct dev *d);

__attribute__((unused)) static void applies(struct dev *d)
{
    strcpy(d->running, d->digest);
    d->ready[0] = '\0';
    dev_event(d, EVENT_APPLIED, d->digest, "", false);
}

__attribute__((unused)) static void fails_preflight(struct dev *d)
{
    d->ready[0] = '\0';
    dev_event(d, EVENT_PREFLIGHT_FAILED, d->digest, "exit-1", true);
}

__attribute__((unused)) static void dies(struct dev *d)
{
    d->number = -1; /* never heard again */
}

__attribute__((unused)) static void lags(struct dev *d)
{
    (void)d; /* got the permit, was too slow, asks again */
}

/* Every device that lives checks in once, then the tick ends. Returns permits given. */
__attribute__((unused)) static int tick(struct story *y, apply_fn apply)
{
    int permits = 0;

    for (int i = 0; i < N; i++) {
        struct dev *d = &y->devs[i];

        if (d->number < 0)
            continue;
        dev_checkin(y->site, d);
        if (!d->digest[0])
            continue;
        permits++;
        apply(d);
    }
    site_tick(y->site, TICK_MS);
    return permits;
}

__attribute__((unused)) static bool is_state(struct story *y, const char *state)
{
    json_auto_t *o = site_status(y->site);

    return strcmp(json_string_value(json_object_get(o, "state")), state) == 0;
}

__attribute__((unused)) static int run_until(struct story *y, const char *state, int most,
                                             apply_fn apply)
{
    int n = 0;

    while (n < most && !is_state(y, state)) {
        tick(y, apply);
        n++;
    }
    if (n == most) {
        json_auto_t *o = site_status(y->site);

        fail_msg("not %s after %d ticks: %s", state, n,
                 json_string_value(json_object_get(o, "stands")));
    }
    return n;
}

/* What the gate was given, from the stored ticks: sums of SF over all of them, and of the last tick
 * the controls by stratum and the numbers of cohorts. */
struct evidence {
    int64_t n_t, f_t, n_c, f_c;
    int64_t canary_n_c, main_n_c;
    int64_t excused, overdue, direct, control_crashes;
};

__attribute__((unused)) static int64_t number_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

__attribute__((unused)) static int add_batches(void *ctx, const struct row_tick *row,
                                               struct err *err)
{
    json_auto_t *facts = json_loads(row->facts, 0, NULL);
    struct evidence *e = ctx;
    const char *name;
    json_t *c;
    const json_t *b;
    size_t i;

    (void)err;
    assert_non_null(facts);
    e->canary_n_c = e->main_n_c = 0;
    json_array_foreach (json_object_get(facts, "batches"), i, b) {
        if (strcmp(json_string_value(json_object_get(b, "metric")), "SF") != 0)
            continue;
        e->n_t += number_of(b, "nT");
        e->f_t += number_of(b, "fT");
        e->n_c += number_of(b, "nC");
        e->f_c += number_of(b, "fC");
        if (strcmp(json_string_value(json_object_get(b, "stratum")), "canary") == 0) {
            e->canary_n_c += number_of(b, "nC");
        } else {
            e->main_n_c += number_of(b, "nC");
        }
    }
    e->excused = e->overdue = e->direct = 0;
    json_object_foreach (json_object_get(facts, "cohorts"), name, c) {
        e->excused += number_of(c, "excused");
        e->overdue += number_of(c, "overdue");
        e->direct += number_of(c, "direct");
        e->control_crashes += number_of(c, "control_crashes");
    }
    return 0;
}

__attribute__((unused)) static void read_evidence(struct story *y, struct evidence *ret)
{
    const struct store_visitor v = {.tick = add_batches};
    struct err err = {0};

    memset(ret, 0, sizeof *ret);
    must(store_load(y->site->server.store, &v, ret, &err), &err);
}

__attribute__((unused)) static void refused(struct story *y, const struct dev *d,
                                            const struct buf *body, struct httpsig_headers *headers,
                                            int status, const char *slug)
{
    struct exchange x = {0};

    if (headers)
        x.headers = *headers;
    dev_send(y->site, d, body, &x);
    assert_int_equal(x.status, status);
    assert_string_equal(err_slug(x.problem.code), slug);
    free(x.answer);
}

#endif
