/* program: firebreak's commands and options, the command line of release engineers and SREs. */
#ifndef FIREBREAK_CTL_PROGRAM_H
#define FIREBREAK_CTL_PROGRAM_H

#include "base/cli.h"

extern const struct cli_program program;

#endif
