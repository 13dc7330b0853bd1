/* fuzz_answer: what the agent lets in is dumped and read back as it was; each channel has exactly
 * one of permit and wait. */
#include "fuzz.h"

#include <string.h>

#include "base/jsonx.h"
#include "checkin.h"
#include "text.h"

static void check_channels(const struct checkin_answer *a, const uint8_t *data, size_t len)
{
    json_auto_t *o = json_loadb((const char *)data, len, 0, NULL);
    const json_t *list = json_object_get(o, "channels");

    FUZZ_CHECK(a->n_channels <= CHECKIN_MAX_CHANNELS);
    FUZZ_CHECK(a->next_ms > 0 && a->server_time >= 0 && a->snapshot_version >= 0);
    for (size_t i = 0; i < a->n_channels; i++) {
        const struct answer_channel *c = &a->channels[i];

        FUZZ_CHECK(channel_name_check(c->channel, NULL) == 0);
        FUZZ_CHECK(!c->permit == !!c->wait[0]);
        FUZZ_CHECK(jsonx_has(json_array_get(list, i), "permit") == !!c->permit);
        FUZZ_CHECK(jsonx_has(json_array_get(list, i), "wait") == !c->permit);
        FUZZ_CHECK(c->permit || text_word_check(c->wait, NULL) == 0);
        FUZZ_CHECK(!c->permit || json_is_object(c->permit));
        for (size_t k = 0; k < i; k++)
            FUZZ_CHECK(strcmp(a->channels[k].channel, c->channel) != 0);
    }
}

static void check_round_trip(const struct checkin_answer *a, const uint8_t *data, size_t len)
{
    struct checkin_answer *again = NULL;
    struct buf first, second;
    struct err err = {0};

    buf_init(&first, FUZZ_TEXT_MAX);
    buf_init(&second, FUZZ_TEXT_MAX);
    FUZZ_CHECK(fuzz_ok(checkin_answer_dump(a, &first, &err), &err));
    if (first.len <= CHECKIN_ANSWER_MAX) { /* a permit with reals may be written longer */
        FUZZ_CHECK(fuzz_ok(checkin_answer_parse(first.data, first.len, &again, &err), &err));
        FUZZ_CHECK(checkin_answer_dump(again, &second, &err) == 0);
        fuzz_same(first.data, second.data);
        fuzz_adds_nothing(&first, data, len);
    }
    checkin_answer_free(again);
    buf_release(&first);
    buf_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct checkin_answer *a = NULL;
    struct err err = {0};

    if (!fuzz_ok(checkin_answer_parse((const char *)data, len, &a, &err), &err)) {
        FUZZ_CHECK(!a);
        return 0;
    }
    check_channels(a, data, len);
    check_round_trip(a, data, len);
    checkin_answer_free(a);
    return 0;
}
