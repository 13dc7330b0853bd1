/*
 * cli: one table per program says its verbs and options; the parser, --help and (docs) the manual
 * page come from it. --help, --version and --json work everywhere. Usage errors exit 2.
 *
 * To add a verb: one row in the program's table and its handler.
 */
#ifndef FIREBREAK_CLI_H
#define FIREBREAK_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define CLI_MAX_ARGS 64
#define CLI_MAX_OPTS 256

struct cli_opt {
    const char *name;     /* "passphrase-file" for --passphrase-file, or "o" for -o (one letter) */
    const char *arg;      /* "F": takes a value and how help calls it; NULL: a flag */
    const char *sentence; /* for help and manual; lowercase, no full stop */
    bool required;
    bool repeated; /* may be given more than once */
};

struct cli;

struct cli_verb {
    const char *words; /* "release build"; "" where the program has no verbs */
    const char *args;  /* "SRC", "C/V", "FILE..." ("..." last: one or more; "[X]": may be absent) */
    const char *sentence;                         /* what it does */
    const struct cli_opt *opts;                   /* ends with a row without name; may be NULL */
    int (*run)(struct cli *cli, struct err *err); /* 0 or negative; cli_main tells and exits */
};

struct cli_program {
    const char *name;
    const char *sentence;
    const struct cli_opt *global; /* options of every verb; may be NULL; --json is implied */
    const struct cli_verb *verbs; /* ends with a row without words */
};

/* One parsed call. Strings point into argv. */
struct cli {
    const struct cli_program *program;
    const struct cli_verb *verb;
    int n_args;
    const char *args[CLI_MAX_ARGS];
    int n_opts;
    struct cli_opt_value {
        const struct cli_opt *opt;
        const char *value;
    } opts[CLI_MAX_OPTS];
    bool json;
    int exit_status; /* a handler that succeeded may ask for another status than 0 (6: halted) */
};

/* Value of an option, or NULL; "" for a flag that was given. The n-th of a repeated one. */
const char *cli_get(const struct cli *cli, const char *name);
const char *cli_get_nth(const struct cli *cli, const char *name, int n);
bool cli_has(const struct cli *cli, const char *name);

/* A decimal number of an option in [min, max]; `otherwise` where it was not given. */
int cli_get_int(const struct cli *cli, const char *name, int64_t min, int64_t max,
                int64_t otherwise, int64_t *ret, struct err *err);

/* Parse, run the verb, tell errors (text, or the --json object on standard error), give the exit
 * status for main. */
int cli_main(const struct cli_program *program, int argc, char **argv);

/* The result of a verb: `o` printed as JSON with --json (o may be NULL: prints {}). Returns true if
 * JSON was printed, so that the caller prints its table otherwise. Does not take the reference. */
bool cli_result(const struct cli *cli, const json_t *o);

/* "error: <message>\n  remedy: <remedy>" or the JSON object, on standard error. */
void cli_tell_error(bool as_json, const struct err *err);

#endif
