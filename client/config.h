/* config: the agent's configuration file, from rows (base/conf.h). */
#ifndef FIREBREAK_CLIENT_CONFIG_H
#define FIREBREAK_CLIENT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "checkin.h"

/* Of the checker; auto: as much of it as the machine gives. */
enum sandbox_wish { SANDBOX_AUTO, SANDBOX_REQUIRED, SANDBOX_OFF };

struct config_channel {
    char name[CHANNEL_NAME_MAX];
    char *preflight, *activate, *health; /* commands; NULL: none */
    int64_t preflight_deadline_ms, activate_deadline_ms, health_deadline_ms;
    int64_t health_interval_ms, soak_ms;
    char *sandbox_text;
    enum sandbox_wish sandbox;
    int64_t sandbox_memory_mib, sandbox_disk_mib, sandbox_processes;
    bool pause;
    char *pin;     /* version; NULL: none */
    char *figures; /* the consumer's file of health figures; NULL: none */
};

#define CONFIG_MAX_MIRRORS 8

struct config {
    char *server, *root, *state_dir, *ca_file, *proxy;
    char *mirrors_text;
    char *mirrors[CONFIG_MAX_MIRRORS]; /* base URLs; into mirrors_words */
    char *mirrors_words;
    size_t n_mirrors;
    char *fetch_user, *fetch_program;
    int64_t poll_interval_ms;
    char *ring_name;
    enum ring_preference ring;
    char *os, *os_version, *arch, *label;
    char *machine_id_file, *boot_id_file, *cmdline_file;
    char *boot_guard;
    char *reboot_check; /* command; NULL: every orderly stop is a shutdown */
    int64_t boot_limit;
    struct config_channel channels[CHECKIN_MAX_CHANNELS];
    size_t n_channels;
};

/* Read and check. ret is zeroed by the caller and released also after a failure. */
int config_read(const char *path, struct config *ret, struct err *err);
void config_release(struct config *c);
void config_dump(FILE *out, const struct config *c);
json_t *config_json(const struct config *c);

const struct config_channel *config_channel(const struct config *c, const char *name);
/* The longest preflight deadline, in whole seconds: for the permit's life. */
int64_t config_preflight_s(const struct config *c);

#endif
