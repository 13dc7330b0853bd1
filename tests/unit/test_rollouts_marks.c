/* rollouts: first events and trials of silence, reboots and crashes over restarts of the server:
 * none is lost, none counts twice. */
#include "cmocka_all.h"

#include "fleet_story.h"
#include "rollouts/flight.h"

#define LONG_TICKS 15 /* long_silence_s and reboot_window_s of the policy 'demo' */

/* Of one metric, from the stored ticks. */
struct sums {
    const char *metric;
    int64_t n_t, f_t, n_c, f_c;
};

static int add_sums(void *ctx, const struct row_tick *row, struct err *err)
{
    json_auto_t *facts = json_loads(row->facts, 0, NULL);
    struct sums *s = ctx;
    const json_t *b;
    size_t i;

    (void)err;
    json_array_foreach (json_object_get(facts, "batches"), i, b) {
        if (strcmp(json_string_value(json_object_get(b, "metric")), s->metric) != 0)
            continue;
        s->n_t += number_of(b, "nT");
        s->f_t += number_of(b, "fT");
        s->n_c += number_of(b, "nC");
        s->f_c += number_of(b, "fC");
    }
    return 0;
}

static struct sums sums_named(struct story *y, const char *metric)
{
    const struct store_visitor v = {.tick = add_sums};
    struct sums s = {.metric = metric};
    struct err err = {0};

    must(store_load(y->site->server.store, &v, &s, &err), &err);
    return s;
}

static struct sums sums_of(struct story *y, enum metric m)
{
    return sums_named(y, metric_name(m));
}

static struct arm *arm_of(struct story *y, int i)
{
    struct flight *f = rollouts_channel(y->site->server.rollouts, CHANNEL)->flight;

    return &f->arms.rows[fleet_find(y->site->server.fleet, y->devs[i].id.device)->index];
}

/* Then nobody applies what is granted: growth waits, and both arms stay as they are. */
static void begin(struct story *y)
{
    start(y, 1);
    for (int i = 0; i < N; i++)
        strcpy(y->devs[i].running, digest(y, 4));
    while (site_count(y->site, "admitted") < 4)
        tick(y, applies);
    for (int k = 0; k < 2; k++)
        tick(y, applies);
    site_state_is(y->site, "running");
}

/* One of each arm that stands in trials; of the controls the one that would be drawn last. */
static void witnesses(struct story *y, int *ret_t, int *ret_c)
{
    *ret_t = *ret_c = -1;
    for (int i = 0; i < N; i++) {
        const struct arm *m = arm_of(y, i);

        if (m->watched == N_STRATA)
            continue;
        if (arm_is_treated(m))
            *ret_t = i;
        else if (*ret_c < 0 || m->u > arm_of(y, *ret_c)->u)
            *ret_c = i;
    }
    assert_true(*ret_t >= 0 && *ret_c >= 0);
}

static void crash(struct story *y, int i)
{
    dev_event(&y->devs[i], EVENT_CRASH, y->devs[i].running, "unclean-boot", false);
}

/* Reported, and the server dies before the tick is over: counted in the tick that begins anew. */
static void a_crash_outlasts_a_restart(void **state)
{
    struct story *y = *state;
    struct sums s;
    int t, c;

    begin(y);
    witnesses(y, &t, &c);
    crash(y, t);
    crash(y, c);
    dev_checkin(y->site, &y->devs[t]);
    dev_checkin(y->site, &y->devs[c]);
    site_restart(y->site);
    tick(y, lags);
    s = sums_of(y, METRIC_CR);
    assert_int_equal(s.f_t, 1);
    assert_int_equal(s.f_c, 1);
    for (int k = 0; k < 3; k++) { /* and never again */
        crash(y, t);
        crash(y, c);
        tick(y, lags);
        site_restart(y->site);
    }
    tick(y, lags);
    s = sums_of(y, METRIC_CR);
    assert_int_equal(s.f_t, 1);
    assert_int_equal(s.f_c, 1);
    assert_true(s.n_t > 0 && s.n_c > s.n_t);
}

/* Silence that lasts over a restart fails once, its deadline begun anew; who was silent too long
 * already is not tried again. */
static void silence_outlasts_a_restart(void **state)
{
    struct story *y = *state;
    struct sums s;
    int64_t number_t, number_c;
    int t, c;

    begin(y);
    witnesses(y, &t, &c);
    number_t = y->devs[t].number;
    number_c = y->devs[c].number;
    y->devs[t].number = y->devs[c].number = -1;
    for (int k = 0; k < 3; k++)
        tick(y, lags);
    s = sums_of(y, METRIC_SA);
    assert_int_equal(s.f_t + s.f_c, 0);
    site_restart(y->site);
    for (int k = 0; k < WATCH_SILENCE + 1; k++)
        tick(y, lags);
    s = sums_of(y, METRIC_SA);
    assert_int_equal(s.f_t, 1);
    assert_int_equal(s.f_c, 1);
    site_restart(y->site); /* failed already: not tried again, and known when they come back */
    for (int k = 0; k < 8; k++)
        tick(y, lags);
    y->devs[t].number = number_t;
    y->devs[c].number = number_c;
    tick(y, lags);
    assert_true(arm_of(y, t)->marks & 1 << METRIC_SA);
    assert_true(arm_of(y, c)->marks & 1 << METRIC_SA);
    y->devs[t].number = y->devs[c].number = -1;
    for (int k = 0; k < 8; k++)
        tick(y, lags);
    s = sums_of(y, METRIC_SA);
    assert_int_equal(s.f_t, 1);
    assert_int_equal(s.f_c, 1);
    witnesses(y, &t, &c); /* those were away when the threshold moved: others */
    y->devs[t].number = y->devs[c].number = -1;
    for (int k = 0; k < LONG_TICKS + 2; k++)
        tick(y, lags);
    s = sums_of(y, METRIC_SL);
    assert_int_equal(s.f_t, 1);
    assert_int_equal(s.f_c, 1);
}

static void reboots(struct story *y, int i)
{
    dev_event(&y->devs[i], EVENT_GOODBYE, "", "reboot", false);
    dev_checkin(y->site, &y->devs[i]);
}

/* Announced before, back (or not) after it. */
static void a_reboot_outlasts_a_restart(void **state)
{
    struct story *y = *state;
    struct sums s;
    int t, c;

    begin(y);
    witnesses(y, &t, &c);
    reboots(y, t);
    reboots(y, c);
    y->devs[c].number = -1; /* never again */
    tick(y, lags);
    site_restart(y->site);
    crash(y, t); /* from an unclean boot */
    tick(y, lags);
    site_restart(y->site);
    for (int k = 0; k < LONG_TICKS + 3; k++)
        tick(y, lags);
    s = sums_of(y, METRIC_RB);
    assert_int_equal(s.n_t, 1);
    assert_int_equal(s.f_t, 1);
    assert_int_equal(s.n_c, 1);
    assert_int_equal(s.f_c, 1);
    site_restart(y->site);
    reboots(y, t); /* its first failure is spent */
    for (int k = 0; k < LONG_TICKS + 3; k++)
        tick(y, lags);
    s = sums_of(y, METRIC_RB);
    assert_int_equal(s.n_t, 1);
}

/* Not excused by a reboot, but by a shutdown, also over a restart. */
static void a_shutdown_is_excused_over_a_restart(void **state)
{
    struct story *y = *state;
    struct sums sa, sl;
    int t, c;

    begin(y);
    witnesses(y, &t, &c);
    dev_event(&y->devs[t], EVENT_GOODBYE, "", "shutdown", false);
    dev_event(&y->devs[c], EVENT_GOODBYE, "", "suspend", false);
    dev_checkin(y->site, &y->devs[t]);
    dev_checkin(y->site, &y->devs[c]);
    y->devs[t].number = y->devs[c].number = -1;
    tick(y, lags);
    site_restart(y->site);
    for (int k = 0; k < LONG_TICKS + 3; k++)
        tick(y, lags);
    sa = sums_of(y, METRIC_SA);
    sl = sums_of(y, METRIC_SL);
    assert_true(sa.n_c > 0 && sl.n_c > 0);
    assert_int_equal(sa.f_t + sa.f_c + sl.f_t + sl.f_c, 0);
}

/* Who leaves the statistics leaves these, too. */
static void a_clone_is_no_silence(void **state)
{
    struct story *y = *state;
    struct buf body;
    struct sums s;
    int t, c;

    begin(y);
    witnesses(y, &t, &c);
    dev_event(&y->devs[c], EVENT_GOODBYE, "", "reboot",
              false); /* the number of its last check-in */
    buf_init(&body, CHECKIN_MAX);
    dev_body(y->site, &y->devs[c], &body);
    refused(y, &y->devs[c], &body, NULL, 409, "checkin-forked");
    buf_release(&body);
    y->devs[c].number = -1;
    for (int k = 0; k < LONG_TICKS + 3; k++)
        tick(y, lags);
    s = sums_of(y, METRIC_SA);
    assert_true(s.n_c > 0);
    assert_int_equal(s.f_c, 0);
    s = sums_of(y, METRIC_SL);
    assert_int_equal(s.f_c, 0);
}

/* --- figures ---------------------------------------------------------------------------------- */

/* The policy 'demo', with a metric of its own. */
static void ask_for_figures(struct story *y)
{
    struct server *s = &y->site->server;
    json_auto_t *o = json_load_file(SOURCE_DIR "/canary/policies/demo.json", 0, NULL);
    char path[128];

    json_object_set_new(o, "metrics",
                        json_pack("[{s:s, s:i, s:f, s:b}]", "name", "blocked", "limit", 50,
                                  "weight", 0.2, "halts", 1));
    snprintf(path, sizeof path, "%s/demo.json", y->site->dir);
    assert_int_equal(json_dump_file(o, path, 0), 0);
    s->config.policies_dir = y->site->dir;
}

static void blocked(struct dev *d, double value)
{
    d->figures = (struct figures){.rows = {{.name = "blocked", .value = value}}, .n = 1};
}

/* Said and failed in a tick that a restart cuts in two: each trial counts, and each once. */
static void figures_outlast_a_restart(void **state)
{
    struct story *y = *state;
    struct sums s;
    int t, c, others = 0;

    ask_for_figures(y);
    begin(y);
    witnesses(y, &t, &c);
    assert_int_equal(sums_named(y, "blocked").n_t, 0);
    blocked(&y->devs[t], 51);
    blocked(&y->devs[c], 1e15);
    for (int i = 0; i < N; i++)
        if (i != t && i != c && arm_of(y, i)->watched != N_STRATA && others++ < 2)
            blocked(&y->devs[i], 50); /* not above */
    for (int i = 0; i < N; i++)
        if (y->devs[i].figures.n)
            dev_checkin(y->site, &y->devs[i]);
    site_restart(y->site);
    tick(y, lags); /* all of them say it again in the same tick */
    s = sums_named(y, "blocked");
    assert_int_equal(s.n_t + s.n_c, 4);
    assert_int_equal(s.f_t, 1);
    assert_int_equal(s.f_c, 1);
    site_restart(y->site);
    tick(y, lags); /* who failed is out of it */
    s = sums_named(y, "blocked");
    assert_int_equal(s.f_t + s.f_c, 2);
    assert_true(arm_of(y, t)->marks & MARK_FIGURE && arm_of(y, c)->marks & MARK_FIGURE);
    assert_false(arm_of(y, t)->marks & MARK_FIGURE << 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(a_crash_outlasts_a_restart),  TEST(silence_outlasts_a_restart),
        TEST(a_reboot_outlasts_a_restart), TEST(a_shutdown_is_excused_over_a_restart),
        TEST(a_clone_is_no_silence),       TEST(figures_outlast_a_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
