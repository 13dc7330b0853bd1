#include "base/jsonline.h"

#include <stdio.h>
#include <string.h>

#define PATH_MAX_BYTES 512

struct scan {
    const char *at, *end, *want;
    int line, found;
    char path[PATH_MAX_BYTES];
};

static void skip(struct scan *s, const char *chars)
{
    for (; s->at < s->end && strchr(chars, *s->at) && *s->at; s->at++)
        s->line += *s->at == '\n';
}

static void skip_space(struct scan *s)
{
    skip(s, " \t\r\n");
}

/* From the opening quote to behind the closing one. */
static void skip_string(struct scan *s)
{
    for (s->at++; s->at < s->end && *s->at != '"'; s->at++)
        if (*s->at == '\\')
            s->at++;
    if (s->at < s->end)
        s->at++;
    else
        s->at = s->end;
}

static void note(struct scan *s)
{
    if (!s->found && strcmp(s->path, s->want) == 0)
        s->found = s->line;
}

static void scan_value(struct scan *s, size_t path_len);

static void scan_object(struct scan *s, size_t path_len)
{
    s->at++;
    for (;;) {
        const char *key;
        int n;

        skip(s, " \t\r\n,");
        if (s->at >= s->end || *s->at != '"')
            break;
        key = s->at + 1;
        skip_string(s);
        n = snprintf(s->path + path_len, sizeof(s->path) - path_len, "%s%.*s", path_len ? "." : "",
                     (int)(s->at - key - 1), key);
        if (n < 0 || (size_t)n >= sizeof(s->path) - path_len)
            n = 0;
        note(s);
        skip(s, " \t\r\n:");
        scan_value(s, path_len + (size_t)n);
    }
    s->at += s->at < s->end;
}

static void scan_array(struct scan *s, size_t path_len)
{
    s->at++;
    for (int i = 0;; i++) {
        int n;

        skip(s, " \t\r\n,");
        if (s->at >= s->end || *s->at == ']')
            break;
        n = snprintf(s->path + path_len, sizeof(s->path) - path_len, "[%d]", i);
        if (n < 0 || (size_t)n >= sizeof(s->path) - path_len)
            n = 0;
        note(s);
        scan_value(s, path_len + (size_t)n);
    }
    s->at += s->at < s->end;
}

/* The text was parsed before, so depth is bounded and brackets match. */
static void scan_value(struct scan *s, size_t path_len)
{
    skip_space(s);
    if (s->at >= s->end || s->found)
        s->at = s->end;
    else if (*s->at == '{')
        scan_object(s, path_len);
    else if (*s->at == '[')
        scan_array(s, path_len);
    else if (*s->at == '"')
        skip_string(s);
    else
        while (s->at < s->end && !strchr(" \t\r\n,]}", *s->at))
            s->at++;
}

int jsonline_of(const char *data, size_t len, const char *path)
{
    struct scan s = {.at = data, .end = data + len, .want = path, .line = 1};

    scan_value(&s, 0);
    return s.found ? s.found : 1;
}
