/* verbs: the agent's commands, by file. To add one: its handler here and a row in main.c. */
#ifndef FIREBREAK_CLIENT_VERBS_H
#define FIREBREAK_CLIENT_VERBS_H

#include "agent.h"
#include "base/cli.h"

/* Open what --config names. */
int verb_open(const struct cli *cli, struct agent **ret, struct err *err);
/* The channel of --channel, or the only one. */
int verb_channel(const struct cli *cli, const struct agent *a, const struct config_channel **ret,
                 struct err *err);

int verb_check_config(struct cli *cli, struct err *err); /* main.c */
int verb_run(struct cli *cli, struct err *err);
int verb_once(struct cli *cli, struct err *err);
int verb_enrol(struct cli *cli, struct err *err);  /* verb_enrol.c */
int verb_status(struct cli *cli, struct err *err); /* verb_status.c */
int verb_verify(struct cli *cli, struct err *err);
int verb_rollback(struct cli *cli, struct err *err); /* verb_owner.c */
int verb_hold(struct cli *cli, struct err *err);
int verb_resume(struct cli *cli, struct err *err);
int verb_boot_begin(struct cli *cli, struct err *err); /* verb_boot.c */
int verb_boot_complete(struct cli *cli, struct err *err);
int verb_boot_shutdown(struct cli *cli, struct err *err);

#endif
