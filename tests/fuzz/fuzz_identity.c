/* fuzz_identity: enrolment's request and its answer, which is also the agent's identity.json. */
#include "fuzz.h"

#include <string.h>

#include "base/hex.h"
#include "checkin.h"
#include "text.h"

#define CAP_BYTES 4096 /* of both documents */

static void check_request(const uint8_t *data, size_t len)
{
    struct enrol_request rq, again;
    char cohort[COHORT_NAME_MAX];
    struct buf first, second;
    struct err err = {0};

    if (!fuzz_ok(enrol_request_parse((const char *)data, len, &rq, &err), &err))
        return;
    platform_cohort(&rq.platform, cohort);
    FUZZ_CHECK(text_cohort_check(cohort, NULL) == 0);
    buf_init(&first, CAP_BYTES);
    buf_init(&second, CAP_BYTES);
    FUZZ_CHECK(fuzz_ok(enrol_request_dump(&rq, &first, &err), &err));
    FUZZ_CHECK(fuzz_ok(enrol_request_parse(first.data, first.len, &again, &err), &err));
    FUZZ_CHECK(enrol_request_dump(&again, &second, &err) == 0);
    fuzz_same(first.data, second.data);
    fuzz_adds_nothing(&first, data, len);
    buf_release(&first);
    buf_release(&second);
}

static void check_identity(const uint8_t *data, size_t len)
{
    struct identity id, again;
    struct buf first, second;
    struct err err = {0};

    if (!fuzz_ok(identity_parse((const char *)data, len, &id, &err), &err))
        return;
    FUZZ_CHECK(hex_is(id.device, DEVICE_ID_LEN) && hex_is(id.repository, SHA256_HEX_LEN));
    FUZZ_CHECK(id.generation >= 1);
    buf_init(&first, CAP_BYTES);
    buf_init(&second, CAP_BYTES);
    FUZZ_CHECK(fuzz_ok(identity_dump(&id, &first, &err), &err));
    FUZZ_CHECK(fuzz_ok(identity_parse(first.data, first.len, &again, &err), &err));
    FUZZ_CHECK(identity_dump(&again, &second, &err) == 0);
    fuzz_same(first.data, second.data);
    fuzz_adds_nothing(&first, data, len);
    FUZZ_CHECK(memcmp(id.key, again.key, sizeof id.key) == 0);
    FUZZ_CHECK(memcmp(id.draw_key, again.draw_key, sizeof id.draw_key) == 0);
    buf_release(&first);
    buf_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    check_request(data, len);
    check_identity(data, len);
    return 0;
}
