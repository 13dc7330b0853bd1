/* token_uri: see token_uri.h.
 *
 *   uri       = "pkcs11:" attribute *(";" attribute) ["?" attribute *("&" attribute)]
 *   attribute = name "=" value        value: printable ASCII, the rest as %XX
 */
#include "tuf/token_uri.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"

#define ATTRIBUTES_MAX 16

enum meaning { NAMES_TOKEN, NAMES_KEY, NARROWS, TYPE, MODULE, SECRET };

/* Every attribute that is known; all but those of the query are passed on to the engine. */
static const struct attribute {
    const char *name;
    enum meaning meaning;
    bool query;
} attributes[] = {
    {"token", NAMES_TOKEN, false}, {"serial", NAMES_TOKEN, false}, {"object", NAMES_KEY, false},
    {"id", NAMES_KEY, false},      {"model", NARROWS, false},      {"manufacturer", NARROWS, false},
    {"type", TYPE, false},         {"module-path", MODULE, true},  {"pin-value", SECRET, true},
    {"pin-source", SECRET, true},  {"pin-value", SECRET, false},   {"pin-source", SECRET, false},
};

#define N_ATTRIBUTES (sizeof attributes / sizeof attributes[0])

/* What has been seen so far. */
struct parse {
    struct token_uri out;
    bool seen[N_ATTRIBUTES];
};

static const struct attribute *attribute_of(const char *name, size_t len, bool query)
{
    for (size_t i = 0; i < N_ATTRIBUTES; i++)
        if (attributes[i].query == query && strlen(attributes[i].name) == len &&
            !strncmp(attributes[i].name, name, len))
            return &attributes[i];
    return NULL;
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* %XX undone. 0 or -1. */
static int decode(const char *text, size_t len, char ret[TOKEN_MODULE_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char)text[i];

        if (c == '%') {
            int high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text[i + 2]) : -1;

            if (low < 0)
                return -1;
            c = high << 4 | low;
            i += 2;
        }
        if (c == 0 || n + 1 >= TOKEN_MODULE_MAX)
            return -1;
        ret[n++] = (char)c;
    }
    ret[n] = '\0';
    return 0;
}

static int take_value(struct parse *p, const struct attribute *a, const char *value, size_t len,
                      struct err *err)
{
    switch (a->meaning) {
    case SECRET:
        err_set(err, ERR_REFUSED, "the URI has '%s': others see it in the list of processes",
                a->name);
        return err_remedy(err, "give the PIN in a file with --passphrase-file; if this one was "
                               "real, change it");
    case TYPE:
        if (len == strlen("private") && !strncmp(value, "private", len))
            return 0;
        return err_set(err, ERR_USAGE, "the URI's type is not 'private'");
    case MODULE:
        if (decode(value, len, p->out.module) == 0 && p->out.module[0] == '/')
            return 0;
        return err_set(err, ERR_USAGE, "the URI's module-path is no absolute path of a file");
    case NAMES_TOKEN:
    case NAMES_KEY:
    case NARROWS:
        return 0;
    }
    return err_set(err, ERR_INTERNAL, "attribute '%s' has no meaning", a->name);
}

static int take_attribute(struct parse *p, const char *text, size_t len, bool query,
                          struct err *err)
{
    const char *equals = memchr(text, '=', len);
    size_t name_len = equals ? (size_t)(equals - text) : 0;
    const struct attribute *a = equals ? attribute_of(text, name_len, query) : NULL;
    size_t used = strlen(p->out.uri), value_len = a ? len - name_len - 1 : 0;
    int r;

    if (!a && equals)
        return err_set(err, ERR_USAGE, "the URI has an attribute '%.*s' that is not known here",
                       (int)(name_len < 32 ? name_len : 32), text);
    if (!a || value_len == 0)
        return err_set(err, ERR_USAGE, "the URI has a part that is not NAME=VALUE");
    if (p->seen[a - attributes])
        return err_set(err, ERR_USAGE, "the URI has '%s' twice", a->name);
    p->seen[a - attributes] = true;
    r = take_value(p, a, equals + 1, value_len, err);
    if (r < 0 || query)
        return r;
    if (used + len + 2 > sizeof p->out.uri)
        return err_set(err, ERR_USAGE, "the URI is too long");
    snprintf(p->out.uri + used, sizeof p->out.uri - used, "%s%.*s",
             p->out.uri[used - 1] == ':' ? "" : ";", (int)len, text);
    return 0;
}

/* The attributes of the path or of the query: `len` bytes, divided by `divider`. */
static int take_list(struct parse *p, const char *text, size_t len, char divider, struct err *err)
{
    int r = 0;

    while (r == 0) {
        const char *end = memchr(text, divider, len);
        size_t n = end ? (size_t)(end - text) : len;

        r = take_attribute(p, text, n, divider == '&', err);
        if (!end)
            break;
        text += n + 1;
        len -= n + 1;
    }
    return r;
}

static bool has(const struct parse *p, enum meaning meaning)
{
    for (size_t i = 0; i < N_ATTRIBUTES; i++)
        if (p->seen[i] && attributes[i].meaning == meaning)
            return true;
    return false;
}

static int parse(const char *rest, struct parse *p, struct err *err)
{
    size_t path_len = strcspn(rest, "?");
    int r;

    for (const char *c = rest; *c; c++)
        if (*c <= ' ' || *c > '~')
            return err_set(err, ERR_USAGE, "the URI has a character that must be written as %%XX");
    strcpy(p->out.uri, "pkcs11:");
    r = take_list(p, rest, path_len, ';', err);
    if (r == 0 && rest[path_len] == '?')
        r = take_list(p, rest + path_len + 1, strlen(rest) - path_len - 1, '&', err);
    if (r < 0)
        return r;
    if (!has(p, NAMES_TOKEN) || !has(p, NAMES_KEY))
        return err_set(err, ERR_USAGE, "the URI does not name both a token and a key");
    return 0;
}

int token_uri_parse(const char *rest, struct token_uri *ret, struct err *err)
{
    struct parse p = {0};
    int r = parse(rest, &p, err);

    if (r < 0) {
        if (err && !err->remedy[0])
            err_remedy(err, "write it as 'pkcs11:token=LABEL;object=LABEL', or with serial= and "
                            "id=; '?module-path=FILE' may follow");
        return err_context(err, r, "PKCS#11 token");
    }
    *ret = p.out;
    return 0;
}
