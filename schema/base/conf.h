/*
 * conf: configuration files are INI (libinih); rows say which keys exist. Parser, --check-config's
 * dump and the manual come from the rows. An unknown key or a value out of range is an error with
 * file and line.
 *
 * To add a key: one row in the program's table and the field it fills.
 */
#ifndef FIREBREAK_CONF_H
#define FIREBREAK_CONF_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "base/err.h"

enum conf_type {
    CONF_STRING, /* field: char *, malloc'd */
    CONF_PATH,   /* the same; relative paths are taken from the file's folder */
    CONF_INT,    /* field: int64_t */
    CONF_BOOL,   /* field: bool; yes|no|on|off|true|false */
    CONF_SECONDS /* field: int64_t in milliseconds; "1.5" is 1,500 */
};

struct conf_row {
    const char *section; /* "" top; "channel" matches [channel NAME] */
    const char *key;
    enum conf_type type;
    size_t offset;       /* of the field in the target struct */
    const char *initial; /* as text; NULL: required (strings: "" means unset -> NULL) */
    int64_t min, max;    /* CONF_INT and, in ms, CONF_SECONDS; both 0: no limits */
    const char *sentence;
};

/* Where a section with a name, like [channel NAME], is to be filled: return the struct for NAME
 * (made on first call), or NULL with err set. */
typedef void *(*conf_section_fn)(void *target, const char *section, const char *name,
                                 struct err *err);

/* Read path into target. Rows end with one without key. Top rows not given get their initial
 * value; so do a named section's rows when conf_section_fn first returns its struct. section_fn
 * may be NULL. target is zeroed by the caller, and conf_release'd also after a failure. Called by
 * main before threads start (libinih's settings are process-wide). */
int conf_read(const char *path, const struct conf_row *rows, void *target,
              conf_section_fn section_fn, struct err *err);

/* What is in force, with each row's sentence as comment (top section's rows). */
void conf_dump(FILE *out, const struct conf_row *rows, const void *target, const char *section);

/* The same as an object: seconds as numbers, strings that are not set as null. */
json_t *conf_json(const struct conf_row *rows, const void *target, const char *section);

/* Free the strings of one struct (rows of `section`). */
void conf_release(const struct conf_row *rows, void *target, const char *section);

#endif
