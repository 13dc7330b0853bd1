/* repo_opts: options of the ceremonies' verbs, for program.c's table. */
#ifndef FIREBREAK_CTL_REPO_OPTS_H
#define FIREBREAK_CTL_REPO_OPTS_H

#include "base/cli.h"

extern const struct cli_opt repo_get_opts[], repo_change_opts[], repo_renew_opts[],
    repo_sign_opts[], repo_view_opts[], repo_publish_opts[], channel_add_opts[], repo_check_opts[],
    repo_export_opts[];

#endif
