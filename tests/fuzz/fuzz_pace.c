/* fuzz_pace: a pace that is let in is a rising stair from 0 s to all, and waits agree with it. */
#include "fuzz.h"

#include "base/jsonx.h"
#include "draw.h"
#include "pace.h"

#define N_DRAWS 64

static void check_stair(const struct pace *p)
{
    FUZZ_CHECK(p->n_steps >= 1 && p->n_steps <= PACE_MAX_STEPS);
    FUZZ_CHECK(pace_share_ppm(p, -1) == 0);
    for (int i = 0; i < p->n_steps; i++) {
        int64_t at = p->steps[i].after_s;

        FUZZ_CHECK(pace_share_ppm(p, at) == p->steps[i].share_ppm);
        FUZZ_CHECK(pace_share_ppm(p, at) >= pace_share_ppm(p, at - 1));
    }
    FUZZ_CHECK(pace_share_ppm(p, INT64_MAX) == PPM);
    FUZZ_CHECK(!pace_is_faster(p, p));
}

/* Whoever waits w seconds is within the share at w, and was not a second before. */
static void check_waits(const struct pace *p)
{
    for (uint64_t i = 0; i <= N_DRAWS; i++) {
        uint64_t draw = i == N_DRAWS ? UINT64_MAX : i * (UINT64_MAX / N_DRAWS);
        int64_t wait = pace_wait_s(p, draw);

        FUZZ_CHECK(draw_within(draw, pace_share_ppm(p, wait)));
        FUZZ_CHECK(wait == 0 || !draw_within(draw, pace_share_ppm(p, wait - 1)));
    }
}

/* pace_is_faster looks at steps only; at no second may it be wrong. */
static void check_faster(const struct pace *p, const struct pace *limit)
{
    int faster = 0;

    for (int i = 0; i < p->n_steps; i++)
        for (int d = -1; d <= 1; d++) {
            int64_t at = p->steps[i].after_s + d;

            faster |= pace_share_ppm(p, at) > pace_share_ppm(limit, at);
        }
    for (int i = 0; i < limit->n_steps; i++)
        for (int d = -1; d <= 1; d++) {
            int64_t at = limit->steps[i].after_s + d;

            faster |= pace_share_ppm(p, at) > pace_share_ppm(limit, at);
        }
    FUZZ_CHECK(pace_is_faster(p, limit) == faster);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    json_auto_t *v = NULL;
    json_auto_t *written = NULL;
    json_auto_t *rewritten = NULL;
    struct err err = {0};
    struct pace p, again;

    if (jsonx_parse((const char *)data, len, 16384, &v, &err) < 0 ||
        !fuzz_ok(pace_from_json(v, &p, &err), &err))
        return 0;
    check_stair(&p);
    check_waits(&p);
    check_faster(&p, &pace_default);
    check_faster(&pace_default, &p);
    written = pace_to_json(&p);
    FUZZ_CHECK(written && pace_from_json(written, &again, &err) == 0);
    rewritten = pace_to_json(&again);
    FUZZ_CHECK(rewritten && json_equal(written, rewritten));
    return 0;
}
