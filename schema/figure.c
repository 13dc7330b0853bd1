/*
 * figure: see figure.h. The consumer's file:
 *
 *   file  = *(line LF) [line]
 *   line  = *WS | "#" any | name 1*WS value *WS
 *   name  = (a-z | 0-9) *22(a-z | 0-9 | "-")
 *   value = 1*digit ["." 1*digit] [("e" | "E") ["+" | "-"] 1*digit]
 */
#include "figure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS    "0123456789"
#define BLANK     " \t"
#define VALUE_MAX 40 /* bytes of a number in the file */

/* Length of the name that text begins with; 0: none. */
static size_t name_len(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz" DIGITS "-");

    return n < FIGURE_NAME_MAX && text[0] != '-' ? n : 0;
}

static bool name_is_good(const char *name)
{
    size_t n = name_len(name);

    return n > 0 && name[n] == '\0';
}

static bool value_is_good(double v)
{
    return v >= 0.0 && v <= FIGURE_MAX; /* false for NaN */
}

const struct figure *figures_find(const struct figures *f, const char *name)
{
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->rows[i].name, name) == 0)
            return &f->rows[i];
    return NULL;
}

/* --- the consumer's file ---------------------------------------------------------------------- */

/* Bytes of the number that text begins with; 0: none. Stricter than strtod. */
static size_t value_len(const char *text)
{
    const char *p = text + strspn(text, DIGITS);

    if (p == text)
        return 0;
    if (*p == '.') {
        size_t n = strspn(p + 1, DIGITS);

        if (n == 0)
            return 0;
        p += 1 + n;
    }
    if (*p == 'e' || *p == 'E') {
        const char *digits = p + 1 + (p[1] == '+' || p[1] == '-');
        size_t n = strspn(digits, DIGITS);

        if (n == 0)
            return 0;
        p = digits + n;
    }
    return (size_t)(p - text) <= VALUE_MAX ? (size_t)(p - text) : 0;
}

/* NULL, or why the line is none. */
static const char *take_line(const char *line, struct figures *ret)
{
    size_t name = name_len(line), blank = strspn(line + name, BLANK);
    const char *value = line + name + blank;
    size_t len = value_len(value);
    struct figure x = {.value = strtod(value, NULL)};

    if (name == 0)
        return "does not begin with a name of 1 to 23 of a-z, 0-9 and '-'";
    if (blank == 0 || len == 0 || value[len + strspn(value + len, BLANK)] != '\0')
        return "is not a name and a number";
    if (!value_is_good(x.value))
        return "has a number above 1e15";
    memcpy(x.name, line, name);
    if (figures_find(ret, x.name))
        return "gives a name again";
    if (ret->n == FIGURES_MAX)
        return "is one too many: at most 8 figures";
    ret->rows[ret->n++] = x;
    return NULL;
}

int figures_parse(const char *text, size_t len, struct figures *ret, struct err *err)
{
    struct figures f = {0};
    size_t at = 0;

    if (len > FIGURES_FILE_MAX)
        return err_set(err, ERR_TOO_LARGE, "longer than %d bytes", FIGURES_FILE_MAX);
    for (int number = 1; at < len; number++) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end ? (size_t)(end - text) - at : len - at;
        char line[FIGURES_FILE_MAX + 1];
        const char *why;

        memcpy(line, text + at, n);
        line[n] = '\0';
        at += n + 1;
        if (strlen(line) != n)
            return err_set(err, ERR_INVALID, "line %d is not text", number);
        if (line[0] == '#' || line[strspn(line, BLANK)] == '\0')
            continue;
        why = take_line(line, &f);
        if (why)
            return err_set(err, ERR_INVALID, "line %d %s", number, why);
    }
    *ret = f;
    return 0;
}

/* --- JSON ------------------------------------------------------------------------------------- */

int figures_from_json(const json_t *o, const char *what, struct figures *ret, struct err *err)
{
    struct figures f = {0};
    const char *name;
    const json_t *v;

    if (!json_is_object(o))
        return err_set(err, ERR_INVALID, "%s is not an object", what);
    if (json_object_size(o) > FIGURES_MAX)
        return err_set(err, ERR_INVALID, "%s has more than %d members", what, FIGURES_MAX);
    json_object_foreach ((json_t *)o, name, v) {
        struct figure *x = &f.rows[f.n++];

        if (!name_is_good(name))
            return err_set(err, ERR_INVALID,
                           "%s: a name is not 1 to %d of a-z, 0-9 and '-', the first no '-'", what,
                           FIGURE_NAME_MAX - 1);
        if (!json_is_number(v) || !value_is_good(json_number_value(v)))
            return err_set(err, ERR_INVALID, "%s: '%s' is not a number in 0 to %g", what, name,
                           FIGURE_MAX);
        memcpy(x->name, name, strlen(name) + 1);
        x->value = json_number_value(v);
    }
    *ret = f;
    return 0;
}

int figures_to_json(const struct figures *f, const char *what, json_t **ret, struct err *err)
{
    json_auto_t *o = json_object();

    for (size_t i = 0; i < f->n; i++) {
        const struct figure *x = &f->rows[i];
        json_t *v;

        if (!name_is_good(x->name) || !value_is_good(x->value))
            return err_set(err, ERR_INVALID, "%s: figure %zu cannot be written", what, i);
        v = x->value == floor(x->value) ? json_integer((json_int_t)x->value) : json_real(x->value);
        if (!o || json_object_set_new(o, x->name, v) < 0)
            return err_set(err, ERR_NOMEM, "out of memory");
    }
    if (!o)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret = json_incref(o);
    return 0;
}
