#include "svg.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define TEXT_MAX 1024

static void put(struct svg *s, int r)
{
    if (r < 0 && s->failed == 0)
        s->failed = r;
}

#define add(s, ...) put((s), buf_addf(&(s)->out, __VA_ARGS__))

/* XML 1.0 has no control characters (but white space) and neither U+FFFE nor U+FFFF, not even
 * escaped. */
static void add_char(struct svg *s, uint32_t cp, const char *bytes, size_t len)
{
    switch (cp) {
    case '&':
        put(s, buf_adds(&s->out, "&amp;"));
        break;
    case '<':
        put(s, buf_adds(&s->out, "&lt;"));
        break;
    case '>':
        put(s, buf_adds(&s->out, "&gt;"));
        break;
    case '"':
        put(s, buf_adds(&s->out, "&quot;"));
        break;
    case 0xfffe:
    case 0xffff:
        put(s, buf_addc(&s->out, '?'));
        break;
    default:
        put(s, buf_add(&s->out, bytes, len));
    }
}

static void add_text(struct svg *s, const char *text)
{
    char line[TEXT_MAX];
    uint32_t cp;
    size_t len;

    snprintf(line, sizeof(line), "%s", text);
    utf8_make_line(line);
    for (const char *at = line; (len = utf8_next(at, &cp)) > 0; at += len)
        add_char(s, cp, at, len);
}

void svg_begin(struct svg *s, double width, double height, const char *title, const char *desc,
               const char *css)
{
    s->failed = 0;
    buf_init(&s->out, SVG_MAX_BYTES);
    add(s,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
        "viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-labelledby=\"title desc\">\n"
        "<title id=\"title\">",
        width, height, width, height);
    add_text(s, title);
    add(s, "</title>\n<desc id=\"desc\">");
    add_text(s, desc);
    add(s, "</desc>\n<style>\n%s</style>\n", css);
}

void svg_end(struct svg *s)
{
    add(s, "</svg>\n");
}

void svg_release(struct svg *s)
{
    buf_release(&s->out);
}

void svg_rect(struct svg *s, const char *cls, double x, double y, double width, double height)
{
    add(s, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n", cls, x, y,
        width, height);
}

void svg_circle(struct svg *s, const char *cls, double x, double y, double radius)
{
    add(s, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>\n", cls, x, y, radius);
}

void svg_line(struct svg *s, const char *cls, double x1, double y1, double x2, double y2)
{
    add(s, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", cls, x1, y1,
        x2, y2);
}

void svg_polyline(struct svg *s, const char *cls, const struct svg_point *points, int n)
{
    add(s, "<polyline class=\"%s\" points=\"", cls);
    for (int i = 0; i < n; i++)
        add(s, "%s%.1f,%.1f", i > 0 ? " " : "", points[i].x, points[i].y);
    add(s, "\"/>\n");
}

void svg_text(struct svg *s, const char *cls, enum svg_anchor anchor, double x, double y,
              const char *fmt, ...)
{
    static const char *const anchors[] = {"start", "middle", "end"};
    char text[TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    add(s, "<text class=\"%s\" text-anchor=\"%s\" x=\"%.1f\" y=\"%.1f\">", cls, anchors[anchor], x,
        y);
    add_text(s, text);
    add(s, "</text>\n");
}

size_t svg_wrap(const char *text, int most)
{
    size_t at = 0, space = 0, len;
    uint32_t cp;

    for (int n = 0; n < most; n++) {
        len = utf8_next(text + at, &cp);
        if (len == 0)
            return text[at] ? strlen(text) : at;
        if (text[at] == ' ')
            space = at;
        at += len;
    }
    if (text[at] == '\0' || text[at] == ' ')
        return at;
    return space > 0 ? space : at;
}
