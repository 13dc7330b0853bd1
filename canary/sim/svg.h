/*
 * svg: a small writer of SVG. All text is escaped here and nowhere else; coordinates are pixels
 * with one decimal, so that the same picture is the same bytes. Failures stick: look at `failed`
 * once, at the end.
 */
#ifndef FIREBREAK_SIM_SVG_H
#define FIREBREAK_SIM_SVG_H

#include "base/buf.h"

#define SVG_MAX_BYTES 4194304

struct svg {
    struct buf out;
    int failed; /* 0, or the first negative code */
};

enum svg_anchor { SVG_START, SVG_MIDDLE, SVG_END };

struct svg_point {
    double x, y;
};

/* css goes in as it is; title and desc are what a screen reader says. */
void svg_begin(struct svg *s, double width, double height, const char *title, const char *desc,
               const char *css);
void svg_end(struct svg *s);
void svg_release(struct svg *s);

/* cls: names from css. */
void svg_rect(struct svg *s, const char *cls, double x, double y, double width, double height);
void svg_circle(struct svg *s, const char *cls, double x, double y, double radius);
void svg_line(struct svg *s, const char *cls, double x1, double y1, double x2, double y2);
void svg_polyline(struct svg *s, const char *cls, const struct svg_point *points, int n);
void svg_text(struct svg *s, const char *cls, enum svg_anchor anchor, double x, double y,
              const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* The longest beginning of text that has at most `most` characters and ends at a space (a longer
 * word is cut); its length in bytes. The next line begins after it and its spaces. */
size_t svg_wrap(const char *text, int most);

#endif
