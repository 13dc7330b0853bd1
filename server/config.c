/* config: firebreakd's rows. See config.h. */
#include "config.h"

#include <stddef.h>

#define AT(field) offsetof(struct config, field)

#define DAY_MS  INT64_C(86400000)
#define YEAR_MS (366 * DAY_MS)

/* To add a key: a row here and its field in config.h. */
const struct conf_row config_rows[] = {
    {"", "listen", CONF_STRING, AT(listen), "127.0.0.1:8440", 0, 0,
     "address and port; port 0 takes a free one"},
    {"", "port_file", CONF_PATH, AT(port_file), "", 0, 0,
     "the port is written there once the server listens"},
    {"", "tls_cert", CONF_PATH, AT(tls_cert), "", 0, 0,
     "PEM certificate chain; without it: plain HTTP, for loopback or a proxy there"},
    {"", "tls_key", CONF_PATH, AT(tls_key), "", 0, 0, "PEM private key of the certificate"},
    {"", "state_dir", CONF_PATH, AT(state_dir), NULL, 0, 0, "database and blobs; back it up"},
    {"", "online_dir", CONF_PATH, AT(online_dir), NULL, 0, 0,
     "the server's own keys and its master secret"},
    {"", "bootstrap_dir", CONF_PATH, AT(bootstrap_dir), NULL, 0, 0,
     "root, targets and operators of the first start; at each later one what is newer there"},
    {"", "policies_dir", CONF_PATH, AT(policies_dir), NULL, 0, 0,
     "how rollouts proceed, one JSON file each"},
    {"", "checkin_interval", CONF_SECONDS, AT(checkin_interval_ms), "60", 10, DAY_MS,
     "seconds between check-ins of devices with nothing going on"},
    {"", "anonymous_viewer", CONF_BOOL, AT(anonymous_viewer), "no", 0, 0,
     "whether the dashboard and what else only reads is open without a token, from loopback"},
    {"", "threads", CONF_INT, AT(threads), "4", 1, 256, "threads that answer HTTP"},
    {"", "max_connections", CONF_INT, AT(max_connections), "8192", 16, 1000000,
     "open connections at a time; more wait"},
    {"", "blob_cache_bytes", CONF_INT, AT(blob_cache_bytes), "268435456", 0, INT64_C(1) << 40,
     "memory for blobs"},
    {"", "commit_delay", CONF_SECONDS, AT(commit_delay_ms), "0", 0, 1000,
     "seconds, at most, that a commit waits for more to commit at once"},
    {"", "commit_queue", CONF_INT, AT(commit_queue), "20000", 0, 10000000,
     "rows that may wait for a commit; with more, check-ins without news are put off (429); 0: "
     "any"},
    {"", "timestamp_life", CONF_SECONDS, AT(timestamp_life_ms), "86400", 2000, 30 * DAY_MS,
     "seconds until timestamp metadata expires; renewed at half"},
    {"", "rollout_life", CONF_SECONDS, AT(rollout_life_ms), "604800", 2000, YEAR_MS,
     "seconds until rollout and snapshot metadata expire; renewed at half"},
    {0},
};

int config_load(const char *path, struct config *ret, struct err *err)
{
    int r = conf_read(path, config_rows, ret, NULL, err);

    if (r < 0)
        return r;
    if (!ret->tls_cert != !ret->tls_key) {
        r = err_set(err, ERR_INVALID, "'%s' gives only one of tls_cert and tls_key", path);
        return err_remedy(err, "give both, or neither for plain HTTP on loopback");
    }
    return 0;
}

void config_release(struct config *c)
{
    conf_release(config_rows, c, "");
}
