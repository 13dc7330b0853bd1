/* fuzz_record: evidence that is let in leaves the gate with numbers that are numbers, ticks that go
 * forward and counts that hold; what is not is refused with its line. */
#include "fuzz.h"

#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "replay.h"
#include "replay_tell.h"

static int open_bytes(const uint8_t *data, size_t len)
{
    int fd = memfd_create("record", MFD_CLOEXEC);

    FUZZ_CHECK(fd >= 0);
    FUZZ_CHECK(write(fd, data, len) == (ssize_t)len);
    FUZZ_CHECK(lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static void check_gate(const struct replay *r)
{
    const struct topology *t = &r->rollout->topology;
    const struct gate *g = &r->rollout->gate;

    FUZZ_CHECK(topology_check(t) == NULL);
    for (int node = 0; node < topology_nodes(t); node++)
        for (int m = 0; m < GATE_METRICS; m++) {
            const struct gate_sums *s = &g->sums[m][node];

            FUZZ_CHECK(isfinite(g->log_e[m][node]));
            FUZZ_CHECK(0 <= s->f_t && s->f_t <= s->n_t && 0 <= s->f_c && s->f_c <= s->n_c);
            FUZZ_CHECK(g->forgiven[m][node] >= 0);
        }
}

static void check_decision(const struct replay *r)
{
    const struct rollout_decision *d = &r->decision;

    FUZZ_CHECK(d->verdict >= VERDICT_WAIT && d->verdict <= VERDICT_HALT);
    FUZZ_CHECK(d->n_reasons >= 0 && d->n_reasons <= ROLLOUT_MAX_REASONS);
    FUZZ_CHECK(d->admit_fleet >= 0 && d->admit_canary >= 0);
    for (int c = 0; c < r->rollout->topology.n_cohorts; c++)
        FUZZ_CHECK(d->admit[c] >= 0 && (!r->rollout->halted[c] || d->admit[c] == 0));
    FUZZ_CHECK(d->verdict != VERDICT_HALT || replay_ends_halted(r));
}

/* Each line is one JSON object. */
static void check_told(char *text)
{
    int n = 0;

    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), n++) {
        json_t *o = json_loads(line, 0, NULL);

        FUZZ_CHECK(json_is_object(o));
        FUZZ_CHECK(json_object_get(o, "verdict") || json_object_get(o, "final"));
        json_decref(o);
    }
    FUZZ_CHECK(n > 0);
}

static void replay_all(struct replay *r, struct replay_teller *teller)
{
    struct err err = {0};
    int64_t tick = -1;
    int got;

    while ((got = replay_step(r, &err)) > 0) {
        FUZZ_CHECK(r->tick > tick);
        tick = r->tick;
        check_decision(r);
        FUZZ_CHECK(replay_tell(teller, r, &err) == 0);
    }
    check_gate(r);
    if (fuzz_ok(got, &err))
        FUZZ_CHECK(replay_tell_final(teller, r, true, &err) == 0);
    else
        FUZZ_CHECK(strncmp(err.msg, "bytes: line ", 12) == 0);
}

static void replay_both_ways(struct record *record, bool json)
{
    struct replay_teller teller = {.json = json};
    struct policy policy;
    struct replay *r;
    struct err err = {0};
    char *text = NULL;
    size_t size = 0;

    policy_standard(&policy);
    if (record_head(record)->has_policy)
        policy = record_head(record)->policy;
    if (!fuzz_ok(replay_new(record, &policy, &r, &err), &err))
        return;
    teller.out = open_memstream(&text, &size);
    FUZZ_CHECK(teller.out);
    replay_all(r, &teller);
    fclose(teller.out);
    if (json && size > 0)
        check_told(text);
    free(text);
    replay_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    for (int json = 0; json < 2; json++) {
        struct record *record;
        struct err err = {0};

        if (!fuzz_ok(record_open_fd(open_bytes(data, len), "bytes", &record, &err), &err)) {
            FUZZ_CHECK(strncmp(err.msg, "bytes: line ", 12) == 0);
            return 0;
        }
        replay_both_ways(record, json);
    }
    return 0;
}
