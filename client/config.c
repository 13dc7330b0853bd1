/* config: see config.h. To add a key: a row here and its field there. */
#include "config.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "layout.h"
#include "manifest.h"
#include "text.h"

#define DEADLINE_MAX 86340000 /* the longest that a permit can live, minus its own minute */
#define DAY_MS       86400000

/* While systemd goes down, the target that it goes to is among its jobs. */
#define REBOOT_CHECK                                                                               \
    "systemctl list-jobs --plain --no-legend 2>/dev/null | "                                       \
    "grep -qE '(^| )(reboot|kexec|soft-reboot)\\.target '"

#define TOP(key, type, field, initial, min, max, sentence)                                         \
    {                                                                                              \
        "", key, type, offsetof(struct config, field), initial, min, max, sentence                 \
    }
#define CHANNEL(key, type, field, initial, min, max, sentence)                                     \
    {                                                                                              \
        "channel", key, type, offsetof(struct config_channel, field), initial, min, max, sentence  \
    }

static const struct conf_row rows[] = {
    TOP("server", CONF_STRING, server, NULL, 0, 0, "address of firebreakd, https://host[:port]"),
    TOP("mirrors", CONF_STRING, mirrors_text, "", 0, 0,
        "base addresses of static copies of the repository, with spaces between them"),
    TOP("root", CONF_PATH, root, NULL, 0, 0, "root metadata that this device trusts at first"),
    TOP("state_dir", CONF_PATH, state_dir, "/var/lib/firebreak", 0, 0, "where the agent keeps all"),
    TOP("ca_file", CONF_PATH, ca_file, "", 0, 0,
        "certificates to trust for TLS instead of the "
        "system's"),
    TOP("proxy", CONF_STRING, proxy, "", 0, 0,
        "proxy for all requests; the environment's otherwise"),
    TOP("fetch_user", CONF_STRING, fetch_user, "", 0, 0,
        "user that the fetching child becomes where the agent runs as root"),
    TOP("fetch_program", CONF_PATH, fetch_program, "", 0, 0,
        "the fetching child; firebreak-agent-fetch beside the agent otherwise"),
    TOP("poll_interval", CONF_SECONDS, poll_interval_ms, "60", 100, DAY_MS,
        "seconds between check-ins until a plan or the server says otherwise"),
    TOP("ring", CONF_STRING, ring_name, "default", 0, 0, "default, canary or late"),
    TOP("os", CONF_STRING, os, "", 0, 0, "operating system family; found out otherwise"),
    TOP("os_version", CONF_STRING, os_version, "", 0, 0, "its build, like debian-12"),
    TOP("arch", CONF_STRING, arch, "", 0, 0, "machine architecture"),
    TOP("label", CONF_STRING, label, "", 0, 0, "a label of the owner's that splits cohorts"),
    TOP("machine_id_file", CONF_PATH, machine_id_file, "/etc/machine-id", 0, 0,
        "what tells this machine from its clones"),
    TOP("boot_id_file", CONF_PATH, boot_id_file, "/proc/sys/kernel/random/boot_id", 0, 0,
        "what tells this boot from others"),
    TOP("cmdline_file", CONF_PATH, cmdline_file, "/proc/cmdline", 0, 0,
        "the kernel's command line, which tells rescue boots"),
    TOP("boot_guard", CONF_STRING, boot_guard, "auto", 0, 0,
        "auto, on or off; auto: on except in containers"),
    TOP("boot_limit", CONF_INT, boot_limit, "2", 1, 10,
        "failed boots in a row after which changed content is reverted"),
    TOP("reboot_check", CONF_STRING, reboot_check, REBOOT_CHECK, 0, 0,
        "command whose success says that an orderly stop is one to start again"),
    CHANNEL("preflight", CONF_STRING, preflight, "", 0, 0, "command that checks a candidate"),
    CHANNEL("preflight_deadline", CONF_SECONDS, preflight_deadline_ms, "30", 100, DEADLINE_MAX,
            "seconds that it may take"),
    CHANNEL("preflight_sandbox", CONF_STRING, sandbox_text, "auto", 0, 0,
            "auto, require or off: where the checker runs; auto: as much of a sandbox as the "
            "machine gives"),
    CHANNEL("preflight_memory_mib", CONF_INT, sandbox_memory_mib, "1024", 16, 1 << 20,
            "private memory of each process in the sandbox"),
    CHANNEL("preflight_disk_mib", CONF_INT, sandbox_disk_mib, "256", 1, 1 << 20,
            "what may be written in the sandbox; it is thrown away"),
    CHANNEL("preflight_processes", CONF_INT, sandbox_processes, "256", 1, 32768,
            "processes in the sandbox"),
    CHANNEL("activate", CONF_STRING, activate, "", 0, 0,
            "command after a switch, which makes the consumer read the new content"),
    CHANNEL("activate_deadline", CONF_SECONDS, activate_deadline_ms, "60", 100, DAY_MS,
            "seconds that it may take"),
    CHANNEL("health", CONF_STRING, health, "", 0, 0,
            "command that tells whether the consumer works"),
    CHANNEL("health_deadline", CONF_SECONDS, health_deadline_ms, "30", 100, DAY_MS,
            "seconds that it may take"),
    CHANNEL("health_interval", CONF_SECONDS, health_interval_ms, "10", 100, DAY_MS,
            "seconds between health checks during the soak"),
    CHANNEL("soak", CONF_SECONDS, soak_ms, "60", 0, DAY_MS,
            "seconds of good health after which a release is trusted"),
    CHANNEL("pause", CONF_BOOL, pause, "no", 0, 0, "apply nothing new"),
    CHANNEL("figures", CONF_PATH, figures, "", 0, 0,
            "file in which the consumer keeps its health figures, lines NAME VALUE"),
    CHANNEL("pin", CONF_STRING, pin, "", 0, 0, "apply no other version than this"),
    {0},
};

static void *open_channel(void *target, const char *section, const char *name, struct err *err)
{
    struct config *c = target;
    struct config_channel *ch;

    (void)section;
    for (size_t i = 0; i < c->n_channels; i++)
        if (strcmp(c->channels[i].name, name) == 0)
            return &c->channels[i];
    if (channel_name_check(name, err) < 0)
        return NULL;
    if (c->n_channels == CHECKIN_MAX_CHANNELS) {
        err_set(err, ERR_INVALID, "more than %d channels", CHECKIN_MAX_CHANNELS);
        return NULL;
    }
    ch = &c->channels[c->n_channels++];
    snprintf(ch->name, sizeof ch->name, "%s", name);
    return ch;
}

static int check_choice(const char *key, const char *value, const char *const *choices, size_t n,
                        size_t *ret, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (value && strcmp(value, choices[i]) == 0) {
            *ret = i;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "'%s' is '%.40s', which is none of its choices", key,
                   value ? value : "");
}

/* What the owner says of the platform is told to the server as it stands, or not at all. */
static int check_platform(const struct config *c, struct err *err)
{
    const struct platform *p = NULL;
    const struct {
        const char *key, *value;
        size_t size;
    } words[] = {
        {"os", c->os, sizeof p->os},
        {"os_version", c->os_version, sizeof p->os_version},
        {"arch", c->arch, sizeof p->arch},
        {"label", c->label, sizeof p->label},
    };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        int r = words[i].value ? text_word_check(words[i].value, err) : 0;

        if (r < 0)
            return err_context(err, r, "'%s'", words[i].key);
        if (words[i].value && strlen(words[i].value) >= words[i].size)
            return err_set(err, ERR_INVALID, "'%s' is longer than %zu bytes", words[i].key,
                           words[i].size - 1);
    }
    return 0;
}

static bool is_address(const char *url)
{
    return strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0;
}

static int split_mirrors(struct config *c, struct err *err)
{
    char *save = NULL;

    if (!c->mirrors_text)
        return 0;
    c->mirrors_words = strdup(c->mirrors_text);
    if (!c->mirrors_words)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (char *w = strtok_r(c->mirrors_words, " \t,", &save); w;
         w = strtok_r(NULL, " \t,", &save)) {
        if (!is_address(w))
            return err_set(err, ERR_INVALID, "'mirrors': '%.100s' is not an https:// address", w);
        if (c->n_mirrors == CONFIG_MAX_MIRRORS)
            return err_set(err, ERR_INVALID, "'mirrors' names more than %d", CONFIG_MAX_MIRRORS);
        c->mirrors[c->n_mirrors++] = w;
    }
    return 0;
}

static int check_channel(struct config_channel *ch, struct err *err)
{
    static const char *const wishes[] = {
        [SANDBOX_AUTO] = "auto", [SANDBOX_REQUIRED] = "require", [SANDBOX_OFF] = "off"};
    size_t i = 0;
    int r = check_choice("preflight_sandbox", ch->sandbox_text, wishes, 3, &i, err);

    if (r < 0)
        return r;
    ch->sandbox = (enum sandbox_wish)i;
    return ch->pin ? err_context(err, release_version_check(ch->pin, err), "pin") : 0;
}

static int check(struct config *c, struct err *err)
{
    static const char *const rings[] = {
#define X(name, text) text,
        RING_PREFERENCES(X)
#undef X
    };
    static const char *const guards[] = {"auto", "on", "off"};
    size_t i = 0;
    int r = check_choice("ring", c->ring_name, rings, sizeof rings / sizeof rings[0], &i, err);

    if (r < 0)
        return r;
    c->ring = (enum ring_preference)i;
    r = check_platform(c, err);
    if (r < 0)
        return r;
    r = check_choice("boot_guard", c->boot_guard, guards, 3, &i, err);
    if (r < 0)
        return r;
    if (strlen(c->state_dir) > LAYOUT_ROOT_MAX)
        return err_set(err, ERR_INVALID, "'state_dir' is longer than %d bytes", LAYOUT_ROOT_MAX);
    if (!is_address(c->server))
        return err_set(err, ERR_INVALID, "'server' is not an https:// address");
    r = split_mirrors(c, err);
    if (r < 0)
        return r;
    for (i = 0; i < c->n_channels; i++)
        if ((r = check_channel(&c->channels[i], err)) < 0)
            return err_context(err, r, "[channel %s]", c->channels[i].name);
    return 0;
}

int config_read(const char *path, struct config *ret, struct err *err)
{
    int r = conf_read(path, rows, ret, open_channel, err);

    return r < 0 ? r : err_context(err, check(ret, err), "'%s'", path);
}

void config_release(struct config *c)
{
    for (size_t i = 0; i < c->n_channels; i++)
        conf_release(rows, &c->channels[i], "channel");
    conf_release(rows, c, "");
    free(c->mirrors_words);
}

void config_dump(FILE *out, const struct config *c)
{
    conf_dump(out, rows, c, "");
    for (size_t i = 0; i < c->n_channels; i++) {
        fprintf(out, "\n[channel %s]\n", c->channels[i].name);
        conf_dump(out, rows, &c->channels[i], "channel");
    }
}

json_t *config_json(const struct config *c)
{
    json_t *o = conf_json(rows, c, ""), *channels = json_object();

    for (size_t i = 0; i < c->n_channels; i++)
        json_object_set_new(channels, c->channels[i].name,
                            conf_json(rows, &c->channels[i], "channel"));
    json_object_set_new(o, "channels", channels);
    return o;
}

const struct config_channel *config_channel(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->n_channels; i++)
        if (strcmp(c->channels[i].name, name) == 0)
            return &c->channels[i];
    return NULL;
}

int64_t config_preflight_s(const struct config *c)
{
    int64_t longest_ms = 0;

    for (size_t i = 0; i < c->n_channels; i++)
        if (c->channels[i].preflight && c->channels[i].preflight_deadline_ms > longest_ms)
            longest_ms = c->channels[i].preflight_deadline_ms;
    return (longest_ms + 999) / 1000;
}
