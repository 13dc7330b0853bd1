/* log: see log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

/* LOG_TRACE is a comma list; "-x" shuts x, "x" or "all" opens it. The last match decides. */
static int traced(const char *subsystem)
{
    const char *p = getenv("LOG_TRACE");
    int on = 0;

    while (p && *p) {
        size_t n = strcspn(p, ",");
        int minus = *p == '-';
        const char *name = p + minus;
        size_t len = n - (size_t)minus;

        if ((len == 3 && strncmp(name, "all", 3) == 0) ||
            (len == strlen(subsystem) && strncmp(name, subsystem, len) == 0))
            on = !minus;
        p += n;
        p += *p == ',';
    }
    return on;
}

/* Copy with control characters made visible. */
static void visible(const char *in, char *out, size_t size)
{
    size_t o = 0;

    for (; *in && o + 5 < size; in++) {
        unsigned char c = (unsigned char)*in;

        if (c < 0x20 || c == 0x7f)
            o += (size_t)snprintf(out + o, size - o, "\\x%02x", c);
        else
            out[o++] = (char)c;
    }
    out[o] = '\0';
}

static const char *word(enum log_level level)
{
    switch (level) {
    case LOG_LVL_ERROR:
        return "error";
    case LOG_LVL_WARN:
        return "warning";
    case LOG_LVL_INFO:
        return "info";
    case LOG_LVL_DEBUG:
        return "debug";
    }
    return "?";
}

void log_at(enum log_level level, const char *subsystem, const char *fmt, ...)
{
    char raw[2048], line[4096], stamp[21];
    va_list ap;

    if (level > LOG_LVL_INFO && !traced(subsystem))
        return;
    va_start(ap, fmt);
    vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    visible(raw, line, sizeof line);
    if (getenv("JOURNAL_STREAM")) {
        dprintf(STDERR_FILENO, "<%d>%s: %s\n", level, subsystem, line);
    } else {
        clock_format_utc(clock_wall_ms(clock_system()) / 1000, stamp);
        dprintf(STDERR_FILENO, "%s %s %s: %s\n", stamp, word(level), subsystem, line);
    }
}
