/*
 * figure: a consumer's own health figures, as it writes them down for the agent and as the agent
 * tells them to the server. A figure is a number from 0 on that the consumer defines: a count since
 * it last wrote, or a rate. Policies name the figures that they judge and their limits.
 */
#ifndef FIREBREAK_FIGURE_H
#define FIREBREAK_FIGURE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define FIGURE_NAME_MAX  24
#define FIGURE_MAX       1e15 /* every integer up to it is exact */
#define FIGURES_MAX      8
#define FIGURES_FILE_MAX 4096

struct figure {
    char name[FIGURE_NAME_MAX]; /* 1 to 23 of a-z, 0-9 and '-', the first no '-' */
    double value;               /* 0 to FIGURE_MAX */
};

struct figures {
    struct figure rows[FIGURES_MAX];
    size_t n;
};

/* NULL: it is not told. */
const struct figure *figures_find(const struct figures *f, const char *name);

/* The consumer's file: lines "NAME VALUE", empty ones and those that begin with '#' let be. The
 * whole file is refused with line and reason, and nothing of it is quoted: it may not be what its
 * name says. */
int figures_parse(const char *text, size_t len, struct figures *ret, struct err *err);

/* The object {name: number}. */
int figures_from_json(const json_t *o, const char *what, struct figures *ret, struct err *err);
/* ERR_INVALID for what would be refused. */
int figures_to_json(const struct figures *f, const char *what, json_t **ret, struct err *err);

#endif
