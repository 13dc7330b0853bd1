/*
 * text: sentences for people, written into the caller's buffer; too long ones are cut, never
 * overrun.
 */
#ifndef FIREBREAK_TEXT_H
#define FIREBREAK_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
    char *buf;
    size_t size, len;
};

/* Start an empty sentence in buf; size > 0. */
struct text text_in(char *buf, size_t size);
void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* 170000 -> "170,000" */
void text_count(struct text *t, int64_t n);
/* 1500 -> "1.5 s", 12000 -> "12 s", 3600000 -> "60 min" */
void text_duration(struct text *t, int64_t ms);
/* 10000 -> "1 %", 500 -> "0.05 %" */
void text_share(struct text *t, int64_t ppm);

#endif
