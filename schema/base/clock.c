/* clock: see clock.h. */
#include "base/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_ms(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t system_wall(void *ctx)
{
    (void)ctx;
    return read_ms(CLOCK_REALTIME);
}

static int64_t system_boot(void *ctx)
{
    (void)ctx;
    return read_ms(CLOCK_BOOTTIME);
}

static int64_t system_awake(void *ctx)
{
    (void)ctx;
    return read_ms(CLOCK_MONOTONIC);
}

const struct clock *clock_system(void)
{
    static const struct clock c = {system_wall, system_boot, system_awake, NULL};

    return &c;
}

static int64_t fixed_wall(void *ctx)
{
    return ((struct clock_fixed *)ctx)->wall_ms;
}

static int64_t fixed_boot(void *ctx)
{
    return ((struct clock_fixed *)ctx)->boot_ms;
}

static int64_t fixed_awake(void *ctx)
{
    return ((struct clock_fixed *)ctx)->awake_ms;
}

struct clock clock_fixed(struct clock_fixed *at)
{
    return (struct clock){fixed_wall, fixed_boot, fixed_awake, at};
}

/* The years that RFC 3339 can write: 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z. */
#define UTC_FIRST INT64_C(-62167219200)
#define UTC_LAST  INT64_C(253402300799)

void clock_format_utc(int64_t wall_s, char ret[21])
{
    time_t t = wall_s < UTC_FIRST ? UTC_FIRST : wall_s > UTC_LAST ? UTC_LAST : wall_s;
    struct tm tm;
    size_t n;

    gmtime_r(&t, &tm);
    /* strftime's %Y does not pad the year. */
    n = (size_t)snprintf(ret, 21, "%04u", (unsigned)(tm.tm_year + 1900) % 10000);
    strftime(ret + n, 21 - n, "-%m-%dT%H:%M:%SZ", &tm);
}

int clock_parse_utc(const char *text, int64_t *ret_wall_s)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:ddZ";
    struct tm tm = {0};
    struct tm back;
    time_t t;

    if (strlen(text) != sizeof shape - 1)
        return -1;
    for (size_t i = 0; i < sizeof shape - 1; i++)
        if (shape[i] == 'd' ? !isdigit((unsigned char)text[i]) : text[i] != shape[i])
            return -1;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec) != 6)
        return -1;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    back = tm;
    t = timegm(&back);
    if (back.tm_mday != tm.tm_mday || back.tm_mon != tm.tm_mon || back.tm_hour != tm.tm_hour ||
        back.tm_min != tm.tm_min || back.tm_sec != tm.tm_sec)
        return -1;
    *ret_wall_s = t;
    return 0;
}
