/*
 * conf: see conf.h. Grammar of a file (libinih, set up in conf_read):
 *
 *   file    = [ BOM ] *( line LF )
 *   line    = blank / comment / section / pair        ; white space around is dropped
 *   comment = ( "#" / ";" ) text                      ; only where a line begins
 *   section = "[" KIND SP NAME "]"                    ; once each
 *   pair    = key "=" value                           ; once each in a section; one line
 *
 * libinih neither tells its handler the line nor shows it a section without keys, so the reader
 * that feeds it counts lines and opens sections itself.
 */
#include "base/conf.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"

#define CONF_MAX_BYTES    (256 * 1024)
#define CONF_MAX_LINE     4096
#define CONF_MAX_SECTIONS 64
#define CONF_MAX_ROWS     128

/* One section in force: top is the first. */
struct conf_section {
    char kind[32];
    char name[128];
    void *base; /* the struct it fills */
    int line;
    int given[CONF_MAX_ROWS]; /* line on which each row was given, 0: not */
};

struct conf_parse {
    const char *path;
    const struct conf_row *rows;
    void *target;
    conf_section_fn section_fn;
    const char *next; /* the rest of the text */
    int line;
    struct conf_section *sections; /* CONF_MAX_SECTIONS of them */
    int n_sections;
    int r; /* first failure: nothing is read after it */
    struct err *err;
};

static int conf_fail(struct conf_parse *p, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int conf_fail(struct conf_parse *p, int line, const char *fmt, ...)
{
    char msg[ERR_MSG_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    p->r = err_set(p->err, ERR_INVALID, "%.150s:%d: %.220s", p->path, line, msg);
    return p->r;
}

static void *field_of(const struct conf_row *row, void *base)
{
    return (char *)base + row->offset;
}

static bool has_limits(const struct conf_row *row)
{
    return row->min != 0 || row->max != 0;
}

/* Decimal seconds with at most three places, strictly, as milliseconds. 0 or -1. */
static int parse_seconds(const char *text, int64_t *ret_ms)
{
    int64_t ms = 0, unit = 1000;
    const char *p = text;

    if (!isdigit((unsigned char)*p))
        return -1;
    for (; isdigit((unsigned char)*p); p++) {
        if (ms > INT64_MAX / 10000)
            return -1;
        ms = ms * 10 + (*p - '0') * 1000;
    }
    if (*p == '.') {
        if (!isdigit((unsigned char)*++p))
            return -1;
        for (; isdigit((unsigned char)*p); p++) {
            unit /= 10;
            if (unit == 0)
                return -1;
            ms += (*p - '0') * unit;
        }
    }
    *ret_ms = ms;
    return *p ? -1 : 0;
}

static int parse_int(const char *text, int64_t *ret)
{
    char *end;

    if (!isdigit((unsigned char)text[0]) && text[0] != '-')
        return -1;
    errno = 0;
    *ret = strtoll(text, &end, 10);
    return errno || *end || end == text ? -1 : 0;
}

static int parse_bool(const char *text, bool *ret)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"yes", true},  {"no", false},  {"on", true},
                 {"off", false}, {"true", true}, {"false", false}};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i].word) == 0) {
            *ret = words[i].value;
            return 0;
        }
    }
    return -1;
}

/* ret: malloc'd, or NULL for an empty text. */
static int make_string(struct conf_parse *p, const struct conf_row *row, const char *text,
                       char **ret)
{
    _cleanup_(free_p)
    char *dir = NULL;
    const char *slash = strrchr(p->path, '/');
    char *s = NULL;

    if (!text[0]) {
        *ret = NULL;
        return 0;
    }
    if (row->type == CONF_PATH && text[0] != '/' && slash) {
        dir = strndup(p->path, (size_t)(slash - p->path) + (slash == p->path));
        if (dir)
            s = path_join(dir, text);
    } else {
        s = strdup(text);
    }
    if (!s)
        return p->r = err_set(p->err, ERR_NOMEM, "out of memory while reading '%s'", p->path);
    *ret = s;
    return 0;
}

static int set_string(struct conf_parse *p, const struct conf_row *row, void *base,
                      const char *text, int line)
{
    char **field = field_of(row, base);
    char *s;

    if (!text[0] && !row->initial)
        return conf_fail(p, line, "'%s' is empty", row->key);
    if (make_string(p, row, text, &s) < 0)
        return p->r;
    free(*field);
    *field = s;
    return 0;
}

static int set_number(struct conf_parse *p, const struct conf_row *row, void *base,
                      const char *text, int line)
{
    bool seconds = row->type == CONF_SECONDS;
    int64_t v;

    if ((seconds ? parse_seconds(text, &v) : parse_int(text, &v)) < 0)
        return conf_fail(p, line, "'%s' is not %s: '%.60s'", row->key,
                         seconds ? "a number of seconds, like 1.5" : "a whole number", text);
    if (has_limits(row) && (v < row->min || v > row->max)) {
        if (seconds)
            return conf_fail(p, line, "'%s' is %.30s, not in %g to %g seconds", row->key, text,
                             (double)row->min / 1000, (double)row->max / 1000);
        return conf_fail(p, line, "'%s' is %lld, not in %lld to %lld", row->key, (long long)v,
                         (long long)row->min, (long long)row->max);
    }
    *(int64_t *)field_of(row, base) = v;
    return 0;
}

static int set_field(struct conf_parse *p, const struct conf_row *row, void *base, const char *text,
                     int line)
{
    switch (row->type) {
    case CONF_STRING:
    case CONF_PATH:
        return set_string(p, row, base, text, line);
    case CONF_INT:
    case CONF_SECONDS:
        return set_number(p, row, base, text, line);
    case CONF_BOOL:
        if (parse_bool(text, field_of(row, base)) < 0)
            return conf_fail(p, line, "'%s' is neither yes nor no: '%.60s'", row->key, text);
        return 0;
    }
    return 0;
}

/* Begin a section: its rows get their initial values. */
static int section_open(struct conf_parse *p, const char *kind, const char *name, void *base)
{
    struct conf_section *s = &p->sections[p->n_sections++];

    snprintf(s->kind, sizeof s->kind, "%s", kind);
    snprintf(s->name, sizeof s->name, "%s", name);
    s->base = base;
    s->line = p->line;
    for (const struct conf_row *row = p->rows; row->key; row++)
        if (strcmp(row->section, kind) == 0 && (row->type == CONF_STRING || row->type == CONF_PATH))
            *(char **)field_of(row, base) = NULL;
    for (const struct conf_row *row = p->rows; row->key; row++)
        if (strcmp(row->section, kind) == 0 && row->initial &&
            set_field(p, row, base, row->initial, p->line) < 0)
            return p->r;
    return 0;
}

static bool kind_known(const struct conf_parse *p, const char *kind)
{
    for (const struct conf_row *row = p->rows; row->key; row++)
        if (row->section[0] && strcmp(row->section, kind) == 0)
            return true;
    return false;
}

static int section_named(struct conf_parse *p, const char *kind, const char *name)
{
    void *base;
    int r;

    for (int i = 1; i < p->n_sections; i++)
        if (strcmp(p->sections[i].kind, kind) == 0 && strcmp(p->sections[i].name, name) == 0)
            return conf_fail(p, p->line, "section [%s %s] was given on line %d already", kind, name,
                             p->sections[i].line);
    if (p->n_sections == CONF_MAX_SECTIONS)
        return conf_fail(p, p->line, "more than %d sections", CONF_MAX_SECTIONS - 1);
    base = p->section_fn(p->target, kind, name, p->err);
    if (!base) {
        r = p->err && p->err->code ? -(int)p->err->code : -ERR_INVALID;
        return p->r = err_context(p->err, r, "%s:%d", p->path, p->line);
    }
    return section_open(p, kind, name, base);
}

/* "[channel crs]", trimmed on both sides. */
static int section_header(struct conf_parse *p, const char *text, size_t len)
{
    char kind[32] = "", name[128] = "";
    int end = -1;

    if (sscanf(text, "[%31[^] \t] %127[^] \t]]%n", kind, name, &end) < 1 || !kind[0])
        return conf_fail(p, p->line, "not a section header: '%.*s'", len > 60 ? 60 : (int)len,
                         text);
    if (!p->section_fn || !kind_known(p, kind))
        return conf_fail(p, p->line, "unknown section [%s]", kind);
    if (end < 0 || (size_t)end != len)
        return conf_fail(p, p->line, "section [%s] wants one name, as in [%s NAME]", kind, kind);
    return section_named(p, kind, name);
}

/* One line for libinih, fgets-like, white space around it dropped (an indented line would be taken
 * for a continuation otherwise). NULL ends the reading. */
static char *next_line(char *ret, int size, void *stream)
{
    struct conf_parse *p = stream;
    const char *at = p->next, *end;
    size_t len;

    if (p->r < 0 || !*at)
        return NULL;
    p->line++;
    end = at + strcspn(at, "\n");
    p->next = *end ? end + 1 : end;
    while (at < end && isspace((unsigned char)*at))
        at++;
    while (end > at && isspace((unsigned char)end[-1]))
        end--;
    len = (size_t)(end - at);
    if (len > CONF_MAX_LINE || len + 2 > (size_t)size) {
        conf_fail(p, p->line, "line is longer than %d bytes", CONF_MAX_LINE);
        return NULL;
    }
    if (*at == '[' && section_header(p, at, len) < 0)
        return NULL;
    memcpy(ret, at, len);
    memcpy(ret + len, "\n", 2);
    return ret;
}

static int on_pair(void *user, const char *section, const char *key, const char *value)
{
    struct conf_parse *p = user;
    struct conf_section *s = &p->sections[p->n_sections - 1];

    (void)section; /* ours: inih cuts it at 49 bytes */
    for (int i = 0; p->rows[i].key; i++) {
        if (strcmp(p->rows[i].section, s->kind) != 0 || strcmp(p->rows[i].key, key) != 0)
            continue;
        if (s->given[i])
            return !conf_fail(p, p->line, "'%s' was given on line %d already", key, s->given[i]);
        s->given[i] = p->line;
        return set_field(p, &p->rows[i], s->base, value, p->line) == 0;
    }
    if (s->kind[0])
        conf_fail(p, p->line, "unknown key '%.60s' in [%s %s]", key, s->kind, s->name);
    else
        conf_fail(p, p->line, "unknown key '%.60s'", key);
    return 0;
}

static int check_required(struct conf_parse *p)
{
    for (int n = 0; n < p->n_sections; n++) {
        const struct conf_section *s = &p->sections[n];

        for (int i = 0; p->rows[i].key; i++) {
            const struct conf_row *row = &p->rows[i];

            if (row->initial || s->given[i] || strcmp(row->section, s->kind) != 0)
                continue;
            if (s->line)
                return conf_fail(p, s->line, "'%s' is missing in [%s %s]", row->key, s->kind,
                                 s->name);
            conf_fail(p, p->line, "'%s' is missing", row->key);
            err_remedy(p->err, "add '%s = ...': %s", row->key, row->sentence);
            return p->r;
        }
    }
    return 0;
}

/* libinih's settings are the library's own globals; these never vary. */
static void set_up_inih(void)
{
    ini_max_line = CONF_MAX_LINE + 3;
    ini_use_stack = true;
    ini_allow_multiline = false;
    ini_allow_inline_comments = false; /* "sh -c 'a ; b'" must not lose its end silently */
    ini_allow_no_value = false;
    ini_stop_on_first_error = true;
}

static int parse(struct conf_parse *p)
{
    int at;

    if (section_open(p, "", "", p->target) < 0)
        return p->r;
    set_up_inih();
    at = ini_parse_stream(next_line, p, on_pair, p);
    if (p->r < 0)
        return p->r;
    if (at > 0)
        return conf_fail(p, at, "neither 'key = value' nor a section nor a comment");
    if (at < 0)
        return p->r = err_set(p->err, ERR_NOMEM, "out of memory while reading '%s'", p->path);
    return check_required(p);
}

int conf_read(const char *path, const struct conf_row *rows, void *target,
              conf_section_fn section_fn, struct err *err)
{
    _cleanup_(free_p)
    struct conf_section *sections = calloc(CONF_MAX_SECTIONS, sizeof *sections);
    struct conf_parse p = {.path = path,
                           .rows = rows,
                           .target = target,
                           .section_fn = section_fn,
                           .sections = sections,
                           .err = err};
    struct buf text;
    size_t n_rows = 0;
    int r;

    while (rows[n_rows].key)
        n_rows++;
    if (!sections)
        return err_set(err, ERR_NOMEM, "out of memory while reading '%s'", path);
    if (n_rows > CONF_MAX_ROWS)
        return err_set(err, ERR_INTERNAL, "more than %d configuration rows", CONF_MAX_ROWS);
    buf_init(&text, CONF_MAX_BYTES);
    r = file_read(path, &text, err);
    if (r == 0 && memchr(text.data, '\0', text.len))
        r = err_set(err, ERR_INVALID, "'%s' holds a NUL byte", path);
    if (r == 0) {
        p.next = text.data + (strncmp(text.data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0);
        r = parse(&p);
    }
    buf_release(&text);
    return r;
}

static void dump_value(FILE *out, const struct conf_row *row, const void *target)
{
    const void *field = (const char *)target + row->offset;
    const char *s;
    int64_t ms;

    switch (row->type) {
    case CONF_STRING:
    case CONF_PATH:
        s = *(char *const *)field;
        fprintf(out, "%s = %s\n", row->key, s ? s : "");
        return;
    case CONF_INT:
        fprintf(out, "%s = %lld\n", row->key, (long long)*(const int64_t *)field);
        return;
    case CONF_BOOL:
        fprintf(out, "%s = %s\n", row->key, *(const bool *)field ? "yes" : "no");
        return;
    case CONF_SECONDS:
        ms = *(const int64_t *)field;
        if (ms % 1000)
            fprintf(out, "%s = %lld.%03lld\n", row->key, (long long)(ms / 1000),
                    (long long)(ms % 1000));
        else
            fprintf(out, "%s = %lld\n", row->key, (long long)(ms / 1000));
        return;
    }
}

static json_t *value_json(const struct conf_row *row, const void *target)
{
    const void *field = (const char *)target + row->offset;
    const char *s;
    int64_t ms;

    switch (row->type) {
    case CONF_STRING:
    case CONF_PATH:
        s = *(char *const *)field;
        return s ? json_string(s) : json_null();
    case CONF_INT:
        return json_integer(*(const int64_t *)field);
    case CONF_BOOL:
        return json_boolean(*(const bool *)field);
    case CONF_SECONDS:
        ms = *(const int64_t *)field;
        return ms % 1000 ? json_real((double)ms / 1000) : json_integer(ms / 1000);
    }
    return NULL;
}

json_t *conf_json(const struct conf_row *rows, const void *target, const char *section)
{
    json_t *o = json_object();

    for (const struct conf_row *row = rows; row->key; row++)
        if (strcmp(row->section, section) == 0)
            json_object_set_new(o, row->key, value_json(row, target));
    return o;
}

void conf_dump(FILE *out, const struct conf_row *rows, const void *target, const char *section)
{
    for (const struct conf_row *row = rows; row->key; row++) {
        if (strcmp(row->section, section) != 0)
            continue;
        fprintf(out, "# %s\n", row->sentence);
        dump_value(out, row, target);
    }
}

void conf_release(const struct conf_row *rows, void *target, const char *section)
{
    for (const struct conf_row *row = rows; row->key; row++) {
        char **field = field_of(row, target);

        if (strcmp(row->section, section) != 0 ||
            (row->type != CONF_STRING && row->type != CONF_PATH))
            continue;
        free(*field);
        *field = NULL;
    }
}
