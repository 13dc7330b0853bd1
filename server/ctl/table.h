/*
 * table: aligned columns for people. Text from the server cannot command the terminal: control
 * characters are shown as '?'.
 */
#ifndef FIREBREAK_CTL_TABLE_H
#define FIREBREAK_CTL_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define TABLE_MAX_COLUMNS 10

struct table_column {
    const char *title;
    bool right; /* numbers */
};

struct table {
    const struct table_column *columns;
    int n_columns;
    char **cells; /* row by row, malloc'd */
    size_t n_cells;
};

void table_init(struct table *t, const struct table_column *columns, int n_columns);
void table_release(struct table *t);

/* Add the next cell; NULL is shown as "-". Cells that memory does not hold are left empty. */
void table_text(struct table *t, const char *text);
void table_number(struct table *t, int64_t n); /* 12,345 */

/* Title line and rows, two spaces between columns, `indent` before each line. */
void table_print(const struct table *t, int indent, FILE *out);

/* A number with thousands marked; a duration ("42 s", "3m 05s", "2h 10m", "12 days"). ret holds 32
 * bytes. */
void table_format_number(int64_t n, char ret[32]);
void table_format_duration(int64_t seconds, char ret[32]);

/* Text made safe to show, into ret (cut to fit). Returns ret. */
const char *table_safe(const char *text, char *ret, size_t size);

/* True where colours may be used on this stream: a terminal, and NO_COLOR is not set. */
bool table_colours(FILE *out);

#endif
