/* err: see err.h. */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

struct err_row {
    int exit_status;
    int http;
    const char *slug;
    const char *remedy;
};

static const struct err_row rows[ERR_N_CODES] = {[ERR_OK] = {0, 200, "ok", ""},
#define X(name, exit_status, http, slug, remedy) [ERR_##name] = {exit_status, http, slug, remedy},
                                                 ERR_TABLE(X)
#undef X
};

static const struct err_row *row(int code)
{
    code = abs(code);
    return &rows[code < ERR_N_CODES ? code : ERR_INTERNAL];
}

/* Messages quote what came from outside, and cut it: whatever that was, what is told can be printed
 * on one line and put into JSON. */
static void say(char *ret, size_t size, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

static void say(char *ret, size_t size, const char *fmt, va_list ap)
{
    vsnprintf(ret, size, fmt, ap);
    utf8_make_line(ret);
}

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return -(int)code;
    err->code = code;
    err->remedy[0] = '\0';
    va_start(ap, fmt);
    say(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    return -(int)code;
}

static enum err_code code_of_errno(int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: /* over the limit of a file: no room either */
        return ERR_FULL;
    case ENOENT:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case ENOMEM:
        return ERR_NOMEM;
    default:
        return ERR_IO;
    }
}

int err_errno(struct err *err, int errnum, const char *fmt, ...)
{
    enum err_code code = code_of_errno(errnum);
    va_list ap;
    size_t n;

    if (!err)
        return -(int)code;
    err->code = code;
    err->remedy[0] = '\0';
    va_start(ap, fmt);
    say(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    n = strlen(err->msg);
    snprintf(err->msg + n, sizeof err->msg - n, ": %s", strerror(errnum));
    utf8_make_line(err->msg);
    return -(int)code;
}

int err_context(struct err *err, int r, const char *fmt, ...)
{
    char head[ERR_MSG_MAX];
    char tail[ERR_MSG_MAX];
    va_list ap;

    if (r == 0 || !err)
        return r;
    va_start(ap, fmt);
    say(head, sizeof head, fmt, ap);
    va_end(ap);
    memcpy(tail, err->msg, sizeof tail);
    tail[sizeof tail - 1] = '\0';
    snprintf(err->msg, sizeof err->msg, "%.180s: %.200s", head, tail);
    utf8_make_line(err->msg); /* either may have been cut within a character */
    return r;
}

int err_remedy(struct err *err, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return -ERR_INTERNAL;
    va_start(ap, fmt);
    say(err->remedy, sizeof err->remedy, fmt, ap);
    va_end(ap);
    return -(int)err->code;
}

int err_exit_status(int code)
{
    return row(code)->exit_status;
}

int err_http_status(int code)
{
    return row(code)->http;
}

const char *err_slug(int code)
{
    return row(code)->slug;
}

const char *err_usual_remedy(int code)
{
    return row(code)->remedy;
}

enum err_code err_from_slug(const char *slug)
{
    for (int i = 1; i < ERR_N_CODES; i++)
        if (strcmp(rows[i].slug, slug) == 0)
            return (enum err_code)i;
    return ERR_INTERNAL;
}

const char *err_show_remedy(const struct err *err)
{
    return err->remedy[0] ? err->remedy : err_usual_remedy(err->code);
}
