/* text: see text.h. */
#include "text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

char *text_clean(const char *s, size_t max_bytes)
{
    size_t len = strnlen(s, max_bytes);
    char *out = malloc(len + 1);
    size_t n = 0;

    if (!out)
        return NULL;
    while (n < len) {
        uint32_t cp = 0;
        size_t k = utf8_next(s + n, &cp);

        if (n + k > len)
            break;
        if (k == 0 || (utf8_is_control(cp) && cp != '\n' && cp != '\t')) {
            k = k ? k : 1;
            memset(out + n, '?', k);
        } else {
            memcpy(out + n, s + n, k);
        }
        n += k;
    }
    out[n] = '\0';
    return out;
}

int text_shown(const char *s, size_t max_bytes)
{
    size_t n = strnlen(s, max_bytes);

    while (n > 0 && (s[n] & 0xc0) == 0x80)
        n--;
    return (int)n;
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Length of the word at s, 0: none. */
static size_t word_len(const char *s)
{
    size_t n = 0;

    if (!is_alnum(s[0]))
        return 0;
    while (is_alnum(s[n]) || (s[n] && strchr("._+-", s[n])))
        n++;
    return n;
}

int text_word_check(const char *s, struct err *err)
{
    size_t n = word_len(s);

    if (n == 0 || s[n])
        return err_set(err, ERR_INVALID,
                       "'%.*s' is not a word of letters, digits and '._+-' that begins with a "
                       "letter or digit",
                       text_shown(s, 100), s);
    return 0;
}

int text_cohort_check(const char *s, struct err *err)
{
    size_t n = word_len(s);

    if (n && s[n] == '/') {
        size_t label = word_len(s + n + 1);

        n = label ? n + 1 + label : 0;
    }
    if (n == 0 || s[n])
        return err_set(err, ERR_INVALID, "'%.*s' is not a cohort, as in \"linux-debian-12\"",
                       text_shown(s, 100), s);
    return 0;
}
