/* fuzz_checkin: what the server lets in is dumped within the same cap and read back as it was. */
#include "fuzz.h"

#include <string.h>

#include "base/hex.h"
#include "base/jsonx.h"
#include "checkin.h"
#include "text.h"

static void check_fields(const struct checkin *c)
{
    char cohort[COHORT_NAME_MAX];

    FUZZ_CHECK(hex_is(c->device, DEVICE_ID_LEN));
    FUZZ_CHECK(c->number >= 1);
    FUZZ_CHECK(c->n_channels <= CHECKIN_MAX_CHANNELS && c->n_events <= CHECKIN_MAX_EVENTS);
    platform_cohort(&c->platform, cohort);
    FUZZ_CHECK(text_cohort_check(cohort, NULL) == 0);
    for (size_t i = 0; i < c->n_channels; i++) {
        const struct checkin_channel *ch = &c->channels[i];

        FUZZ_CHECK(channel_name_check(ch->channel, NULL) == 0);
        FUZZ_CHECK(!ch->has_ready ||
                   (hex_is(ch->ready, SHA256_HEX_LEN) && hex_is(ch->nonce, NONCE_LEN)));
        FUZZ_CHECK(ch->figures.n <= FIGURES_MAX);
        for (size_t k = 0; k < ch->figures.n; k++) {
            const struct figure *x = &ch->figures.rows[k];

            FUZZ_CHECK(x->value >= 0.0 && x->value <= FIGURE_MAX);
            FUZZ_CHECK(figures_find(&ch->figures, x->name) == x);
        }
        for (size_t k = 0; k < i; k++)
            FUZZ_CHECK(strcmp(c->channels[k].channel, ch->channel) != 0);
    }
}

/* A device that said `ready` is not taken for one that did not, nor the other way round. */
static void check_ready(const struct checkin *c, const uint8_t *data, size_t len)
{
    json_auto_t *o = json_loadb((const char *)data, len, 0, NULL);
    const json_t *list = json_object_get(o, "channels");

    for (size_t i = 0; i < c->n_channels; i++)
        FUZZ_CHECK(jsonx_has(json_array_get(list, i), "ready") == c->channels[i].has_ready);
}

static void check_round_trip(const struct checkin *c, const uint8_t *data, size_t len)
{
    struct checkin *again = NULL;
    struct buf first, second;
    struct err err = {0};

    buf_init(&first, CHECKIN_MAX);
    buf_init(&second, CHECKIN_MAX);
    FUZZ_CHECK(fuzz_ok(checkin_dump(c, &first, &err), &err));
    FUZZ_CHECK(fuzz_ok(checkin_parse(first.data, first.len, &again, &err), &err));
    FUZZ_CHECK(checkin_dump(again, &second, &err) == 0);
    fuzz_same(first.data, second.data);
    fuzz_adds_nothing(&first, data, len);
    checkin_free(again);
    buf_release(&first);
    buf_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct checkin *c = NULL;
    struct err err = {0};

    if (!fuzz_ok(checkin_parse((const char *)data, len, &c, &err), &err)) {
        FUZZ_CHECK(!c);
        return 0;
    }
    check_fields(c);
    check_ready(c, data, len);
    check_round_trip(c, data, len);
    checkin_free(c);
    return 0;
}
