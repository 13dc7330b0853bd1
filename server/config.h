/*
 * config: firebreakd's configuration; the rows in config.c are parser, dump and manual.
 */
#ifndef FIREBREAK_SERVER_CONFIG_H
#define FIREBREAK_SERVER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/conf.h"

struct config {
    char *listen;    /* "127.0.0.1:8440"; port 0: a free one */
    char *port_file; /* the port is written there once it listens; NULL none */
    char *tls_cert, *tls_key;
    char *state_dir;     /* firebreak.db and blobs/ */
    char *online_dir;    /* rollout*.pem snapshot*.pem timestamp*.pem permit.pem master.key */
    char *bootstrap_dir; /* <n>.root.json <n>.targets.json <n>.content-<channel>.json operators.json
                          */
    char *policies_dir;
    int64_t checkin_interval_ms; /* of devices with nothing going on */
    bool anonymous_viewer;       /* the dashboard and read-only API without a token */
    int64_t threads;             /* of the HTTP pool */
    int64_t max_connections;
    int64_t blob_cache_bytes;
    int64_t commit_delay_ms;                    /* most that a batch waits for company; 0: none */
    int64_t commit_queue;                       /* rows that may wait for one; 0: any number */
    int64_t timestamp_life_ms, rollout_life_ms; /* of online metadata; renewed at half life */
};

extern const struct conf_row config_rows[];
int config_load(const char *path, struct config *ret, struct err *err);
void config_release(struct config *c);

#endif
