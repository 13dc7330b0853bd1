#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct text text_in(char *buf, size_t size)
{
    buf[0] = '\0';
    return (struct text){.buf = buf, .size = size};
}

void text_add(struct text *t, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(t->buf + t->len, t->size - t->len, fmt, ap);
    va_end(ap);
    if (n > 0)
        t->len = (size_t)n < t->size - t->len ? t->len + (size_t)n : t->size - 1;
}

void text_count(struct text *t, int64_t n)
{
    char digits[32], out[48];
    int len = snprintf(digits, sizeof(digits), "%lld", (long long)n), o = 0;

    for (int i = 0; i < len; i++) {
        out[o++] = digits[i];
        if (digits[i] != '-' && i + 1 < len && (len - i - 1) % 3 == 0)
            out[o++] = ',';
    }
    out[o] = '\0';
    text_add(t, "%s", out);
}

void text_duration(struct text *t, int64_t ms)
{
    if (ms >= 600000)
        text_add(t, "%lld min", (long long)(ms / 60000));
    else
        text_add(t, "%.4g s", (double)(ms / 100) / 10.0);
}

void text_share(struct text *t, int64_t ppm)
{
    text_add(t, "%.6g %%", (double)ppm / 1e4);
}
