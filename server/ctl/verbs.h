/*
 * verbs: the handlers behind main.c's table, one file a subject. Each returns 0 or a negative code
 * with err filled; cli_main tells it and exits.
 */
#ifndef FIREBREAK_CTL_VERBS_H
#define FIREBREAK_CTL_VERBS_H

#include "base/cli.h"

int init_run(struct cli *cli, struct err *err);

int key_new_run(struct cli *cli, struct err *err);
int key_show_run(struct cli *cli, struct err *err);
int key_passphrase_run(struct cli *cli, struct err *err);

int release_build_run(struct cli *cli, struct err *err);
int release_sign_run(struct cli *cli, struct err *err);
int release_publish_run(struct cli *cli, struct err *err);
int release_revoke_run(struct cli *cli, struct err *err);
int release_list_run(struct cli *cli, struct err *err);

int token_create_run(struct cli *cli, struct err *err);
int token_create_operator_run(struct cli *cli, struct err *err);

int policy_check_run(struct cli *cli, struct err *err);
int policy_list_run(struct cli *cli, struct err *err);

int device_exclude_run(struct cli *cli, struct err *err);

int rollout_start_run(struct cli *cli, struct err *err);
int rollout_status_run(struct cli *cli, struct err *err);
int rollout_explain_run(struct cli *cli, struct err *err);
int rollout_record_run(struct cli *cli, struct err *err);
int rollout_halt_run(struct cli *cli, struct err *err);
int rollout_promote_run(struct cli *cli, struct err *err);
int calibrate_start_run(struct cli *cli, struct err *err);
int calibrate_status_run(struct cli *cli, struct err *err);
int calibrate_stop_run(struct cli *cli, struct err *err);
int watch_run(struct cli *cli, struct err *err);

int repo_get_run(struct cli *cli, struct err *err);
int repo_change_run(struct cli *cli, struct err *err);
int repo_renew_run(struct cli *cli, struct err *err);
int repo_show_run(struct cli *cli, struct err *err);
int repo_sign_run(struct cli *cli, struct err *err);
int repo_merge_run(struct cli *cli, struct err *err);
int repo_publish_run(struct cli *cli, struct err *err);
int repo_check_run(struct cli *cli, struct err *err);
int repo_export_run(struct cli *cli, struct err *err);
int channel_add_run(struct cli *cli, struct err *err);

int audit_list_run(struct cli *cli, struct err *err);
int audit_verify_run(struct cli *cli, struct err *err);

#endif
