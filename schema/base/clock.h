/*
 * clock: time is passed in, never asked for in a decision, so that every decision can be tested at
 * any time. wall_ms is Unix time and may jump; boot_ms (CLOCK_BOOTTIME) never goes back within one
 * boot and counts sleep; awake_ms (CLOCK_MONOTONIC) does not count sleep.
 */
#ifndef FIREBREAK_CLOCK_H
#define FIREBREAK_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t (*wall_ms)(void *ctx);
    int64_t (*boot_ms)(void *ctx);
    int64_t (*awake_ms)(void *ctx);
    void *ctx;
};

/* The machine's clocks. Static, never freed. */
const struct clock *clock_system(void);

/* A clock that stands where it is put; ctx is a `struct clock_fixed` of the caller's. */
struct clock_fixed {
    int64_t wall_ms, boot_ms, awake_ms;
};
struct clock clock_fixed(struct clock_fixed *at);

static inline int64_t clock_wall_ms(const struct clock *c)
{
    return c->wall_ms(c->ctx);
}

static inline int64_t clock_boot_ms(const struct clock *c)
{
    return c->boot_ms(c->ctx);
}

static inline int64_t clock_awake_ms(const struct clock *c)
{
    return c->awake_ms(c->ctx);
}

/* "2026-11-25T00:31:07Z" (TUF's and RFC 3339's form, seconds). A time outside the years
 * 0000 to 9999 becomes the nearest end of them. */
void clock_format_utc(int64_t wall_s, char ret[21]);

/* The reverse, strict. 0 or -1. */
int clock_parse_utc(const char *text, int64_t *ret_wall_s);

#endif
