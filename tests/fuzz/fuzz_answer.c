/* fuzz_answer: what the agent lets in is dumped and read back as it was; each channel has exactly
 * one of permit and wait. */
#include "fuzz.h"

#include <string.h>

#include "checkin.h"
#include "text.h"

static void check_channels(const struct checkin_answer *a)
{
    FUZZ_CHECK(a->n_channels <= CHECKIN_MAX_CHANNELS);
    FUZZ_CHECK(a->next_ms > 0 && a->server_time >= 0 && a->snapshot_version >= 0);
    for (size_t i = 0; i < a->n_channels; i++) {
        const struct answer_channel *c = &a->channels[i];

        FUZZ_CHECK(channel_name_check(c->channel, NULL) == 0);
        FUZZ_CHECK(!c->permit == !!c->wait[0]);
        FUZZ_CHECK(c->permit || text_word_check(c->wait, NULL) == 0);
        FUZZ_CHECK(!c->permit || json_is_object(c->permit));
        for (size_t k = 0; k < i; k++)
            FUZZ_CHECK(strcmp(a->channels[k].channel, c->channel) != 0);
    }
}

static void check_round_trip(const struct checkin_answer *a)
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
    check_channels(a);
    check_round_trip(a);
    checkin_answer_free(a);
    return 0;
}
