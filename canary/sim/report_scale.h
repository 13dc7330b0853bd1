/*
 * report_scale: from numbers to pixels and back to words: axes, ticks, labels that do not overlap.
 */
#ifndef FIREBREAK_SIM_REPORT_SCALE_H
#define FIREBREAK_SIM_REPORT_SCALE_H

#include <stdbool.h>

#define SCALE_MAX_TICKS 16
#define SCALE_WORDS_MAX 32

/* lo..hi onto from..to, linear; logarithmic ones have a place of their own for 0, at `from`. */
struct scale {
    bool log;
    double lo, hi, from, to;
};

/* Of counts up to `most`: 0, then 1 to the next power of ten. */
struct scale scale_of_counts(double most, double from, double to);
double scale_at(const struct scale *s, double v);
/* Values to mark: powers of ten (and 0), else round ones, at most `most`; how many. */
int scale_ticks(const struct scale *s, int most, double ret[SCALE_MAX_TICKS]);
/* Round minutes of an axis of time. */
int scale_minutes(const struct scale *s, int most, double ret[SCALE_MAX_TICKS]);

/* 1500000 -> "1,500,000" */
const char *scale_count(double n, char ret[SCALE_WORDS_MAX]);
/* 2.5 -> "2.5" */
const char *scale_number(double n, char ret[SCALE_WORDS_MAX]);
/* Minutes as people say them: "72 s", "3.2 min", "79 min", "5 h 54 min" */
const char *scale_duration(double min, char ret[SCALE_WORDS_MAX]);
/* The same for a tick of an axis with that step: "30 s", "20 min", "4 h" */
const char *scale_tick_words(double min, double step, char ret[SCALE_WORDS_MAX]);

/* Move places apart so that they lie at least `gap` from each other and within lo..hi, in their
 * order, each as near to where it was as goes. n is small. */
void scale_spread(double *places, int n, double gap, double lo, double hi);

#endif
