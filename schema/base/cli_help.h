/*
 * cli_help: what a command line shows to people and scripts: help made from the table, results and
 * errors. Of cli.c only; programs use cli.h.
 */
#ifndef FIREBREAK_CLI_HELP_H
#define FIREBREAK_CLI_HELP_H

#include <stdio.h>

#include "base/cli.h"

/* Overview of the verbs; of those that begin with the word `group` where it is given. */
void cli_help_program(FILE *out, const struct cli_program *program, const char *group);

/* One verb: usage line and every option, the builtin ones last. */
void cli_help_verb(FILE *out, const struct cli_program *program, const struct cli_verb *verb,
                   const struct cli_opt *builtin);

/* True if `word` is the first of several words of a verb ("release" of "release build"). */
bool cli_is_group(const struct cli_program *program, const char *word);

#endif
