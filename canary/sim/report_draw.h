/*
 * report_draw: a report as a picture: figures in a table, who had the release and whom it took
 * down over time, the evidence against its threshold, what happened in words. The same report is
 * the same bytes.
 */
#ifndef FIREBREAK_SIM_REPORT_DRAW_H
#define FIREBREAK_SIM_REPORT_DRAW_H

#include "report_model.h"
#include "svg.h"

/* The caller releases ret (svg_release) and looks at ret->failed. */
void report_draw(const struct report *r, struct svg *ret);

/* A run in words: "halted after 3.2 min". */
#define REPORT_WORDS_MAX 120
void report_run_words(const struct report *r, int run, char ret[REPORT_WORDS_MAX]);

#endif
