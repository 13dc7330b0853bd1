/* utf8: see utf8.h. */
#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>

size_t utf8_next(const char *s, uint32_t *ret_cp)
{
    static const struct {
        uint8_t mask, lead;
        uint32_t lowest; /* code points below it have a shorter form */
    } forms[] = {{0x80, 0x00, 1}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    const uint8_t *p = (const uint8_t *)s;

    for (size_t n = 0; n < sizeof forms / sizeof forms[0]; n++) {
        uint32_t cp = p[0] & (uint8_t)~forms[n].mask;

        if ((p[0] & forms[n].mask) != forms[n].lead)
            continue;
        for (size_t i = 1; i <= n; i++) {
            if ((p[i] & 0xc0) != 0x80)
                return 0;
            cp = cp << 6 | (p[i] & 0x3f);
        }
        if (cp < forms[n].lowest || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
            return 0;
        *ret_cp = cp;
        return n + 1;
    }
    return 0;
}

int utf8_is_control(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7f && cp <= 0x9f);
}

void utf8_make_line(char *s)
{
    while (*s) {
        uint32_t cp = 0;
        size_t n = utf8_next(s, &cp);

        if (n == 0 || utf8_is_control(cp)) {
            bool space = n && (cp == '\n' || cp == '\t' || cp == '\r');

            n = n ? n : 1;
            memset(s, space ? ' ' : '?', n);
        }
        s += n;
    }
}
