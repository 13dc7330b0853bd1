/* agent: see agent.h. */
#include "agent.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/utsname.h>

#include "base/file.h"
#include "base/hex.h"
#include "boot/bootguard.h"
#include "layout.h"
#include "state/spool.h"
#include "text.h"

#define IDENTITY_MAX 4096

/* The first line of a small file. */
static int read_line(const char *path, char *ret, size_t size, struct err *err)
{
    struct buf b;
    size_t n;
    int r;

    buf_init(&b, 4096);
    r = file_read(path, &b, err);
    n = r == 0 ? strcspn(b.data, "\r\n") : 0;
    if (r == 0 && (n == 0 || n >= size))
        r = err_set(err, ERR_INVALID, "'%s' does not begin with a line of 1 to %zu bytes", path,
                    size - 1);
    if (r == 0) {
        memcpy(ret, b.data, n);
        ret[n] = '\0';
    }
    buf_release(&b);
    return r;
}

/* KEY=value of os-release, without quotes. "" where there is none. */
static void os_release(const char *key, char *ret, size_t size)
{
    _cleanup_(fclose_p)
    FILE *f = fopen("/etc/os-release", "re");
    size_t len = strlen(key);
    char line[512];

    ret[0] = '\0';
    while (f && fgets(line, sizeof line, f)) {
        char *value = line + len + 1;

        if (strncmp(line, key, len) != 0 || line[len] != '=')
            continue;
        value += strspn(value, "\"'");
        value[strcspn(value, "\"'\r\n")] = '\0';
        snprintf(ret, size, "%s", value);
        return;
    }
}

/* Only what a word may hold goes into a cohort's name. */
static void make_word(char *s)
{
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr("._+-", *s))
            *s = '-';
}

static void set_part(char *ret, size_t size, const char *configured, const char *found)
{
    snprintf(ret, size, "%s", configured ? configured : found);
    make_word(ret);
}

static void find_platform(const struct config *c, struct platform *ret)
{
    struct utsname u = {0};
    char id[32], version[32], build[80];

    uname(&u);
    os_release("ID", id, sizeof id);
    os_release("VERSION_ID", version, sizeof version);
    snprintf(build, sizeof build, "%s%s%s", id[0] ? id : "unknown", version[0] ? "-" : "", version);
    for (char *s = u.sysname; *s; s++)
        *s = (char)tolower((unsigned char)*s);
    set_part(ret->os, sizeof ret->os, c->os, u.sysname);
    set_part(ret->os_version, sizeof ret->os_version, c->os_version, build);
    set_part(ret->arch, sizeof ret->arch, c->arch, u.machine);
    set_part(ret->label, sizeof ret->label, c->label, "");
}

int agent_read_identity(struct agent *a, struct err *err)
{
    struct identity identity = {0};
    struct path p;
    struct buf b;
    int r;

    buf_init(&b, IDENTITY_MAX);
    r = file_read_secret(layout_at(&p, a->config.state_dir, LAYOUT_IDENTITY), &b, err);
    if (r == 0)
        r = identity_parse(b.data, b.len, &identity, err);
    if (b.len)
        explicit_bzero(b.data, b.len);
    buf_release(&b);
    if (r == 0)
        a->identity = identity;
    explicit_bzero(&identity, sizeof identity);
    if (r == 0 || r == -ERR_NOT_FOUND)
        a->enrolled = r == 0;
    return r == -ERR_NOT_FOUND ? 0 : r;
}

int agent_need_identity(const struct agent *a, struct err *err)
{
    if (a->enrolled)
        return 0;
    err_set(err, ERR_NOT_FOUND, "this device is not enrolled: '%s' has no identity",
            a->config.state_dir);
    return err_remedy(err, "firebreak-agent --config F enrol --token-file F");
}

/* Hooks run elsewhere: what they are told must be absolute. */
static int make_state_dir(struct config *c, struct err *err)
{
    char full[PATH_MAX];
    int r = file_mkdir_p(c->state_dir, 0755, err);

    if (r < 0)
        return r;
    if (!realpath(c->state_dir, full))
        return err_errno(err, errno, "find '%s'", c->state_dir);
    if (strlen(full) > LAYOUT_ROOT_MAX)
        return err_set(err, ERR_INVALID, "'%s' is longer than %d bytes", full, LAYOUT_ROOT_MAX);
    free(c->state_dir);
    c->state_dir = strdup(full);
    return c->state_dir ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

int agent_open(const char *config_file, struct agent **ret, struct err *err)
{
    _cleanup_(agent_free_p)
    struct agent *a = calloc(1, sizeof *a);
    int r;

    if (!a)
        return err_set(err, ERR_NOMEM, "out of memory");
    a->clock = clock_system();
    a->built_s = FIREBREAK_BUILT_S;
    r = config_read(config_file, &a->config, err);
    if (r == 0)
        r = read_line(a->config.boot_id_file, a->boot_id, sizeof a->boot_id, err);
    if (r == 0)
        r = make_state_dir(&a->config, err);
    if (r == 0)
        r = agent_read_identity(a, err);
    if (r < 0)
        return r;
    a->place = (struct state_place){a->config.state_dir, a->clock, a->boot_id};
    a->guard = bootguard_is_on(a->config.boot_guard, "", &a->guard_why);
    find_platform(&a->config, &a->platform);
    platform_cohort(&a->platform, a->cohort);
    *ret = take_ptr(a);
    return 0;
}

void agent_free(struct agent *a)
{
    if (!a)
        return;
    config_release(&a->config);
    explicit_bzero(a, sizeof *a);
    free(a);
}

int agent_machine(const struct agent *a, const char *salt, char ret[65], struct err *err)
{
    char id[256];
    struct utsname u = {0};
    struct buf salted;
    int r = read_line(a->config.machine_id_file, id, sizeof id, err);

    if (r == -ERR_NOT_FOUND || r == -ERR_INVALID) {
        /* Images without a machine id: the host's name is the next best. */
        uname(&u);
        snprintf(id, sizeof id, "host:%s", u.nodename);
    } else if (r < 0) {
        return err_context(err, r, "machine id");
    }
    r = 0;
    buf_init(&salted, sizeof id + DEVICE_ID_LEN + 1);
    if (*salt)
        r = buf_add(&salted, salt, strlen(salt) + 1);
    if (r == 0)
        r = buf_adds(&salted, id);
    if (r == 0)
        sha256_hex(salted.data, salted.len, ret);
    buf_release(&salted);
    return r == 0 ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

int agent_lock(const struct agent *a, const char *name, struct err *err)
{
    struct path p;
    _cleanup_(close_p)
    int fd =
        open(layout_at(&p, a->config.state_dir, "%s", name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_errno(err, errno, "open '%s'", p.s);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return take_fd(&fd);
    if (errno != EWOULDBLOCK)
        return err_errno(err, errno, "lock '%s'", p.s);
    err_set(err, ERR_CONFLICT, "another firebreak-agent is at work in '%s'", a->config.state_dir);
    return err_remedy(err, "let it end, or stop it, and try again");
}

int agent_plan(const struct agent *a, const char *channel, struct plan **ret, struct err *err)
{
    struct path p;
    struct buf b;
    int r;

    buf_init(&b, PLAN_MAX);
    r = file_read(layout_at(&p, a->config.state_dir, "channels/%s/plan.json", channel), &b, err);
    if (r == 0)
        r = plan_parse(b.data, b.len, ret, err);
    buf_release(&b);
    return r;
}

bool agent_boot_is_unrecorded(const struct agent *a, const struct state *s)
{
    return a->guard && s->boot.id[0] && strcmp(s->boot.id, a->boot_id) != 0;
}

struct trouble_clock agent_clock(const struct agent *a, const struct state *s)
{
    return (struct trouble_clock){
        .now_s = clock_wall_ms(a->clock) / 1000,
        .built_s = a->built_s,
        .server_ahead_s = s->server_ahead_s,
    };
}

struct decide_facts agent_facts(const struct agent *a, const struct config_channel *conf,
                                struct state *s, struct state_channel *c)
{
    struct trouble_clock clock = agent_clock(a, s);

    return (struct decide_facts){
        .state = s,
        .channel = c,
        .cohort = a->cohort,
        .draw_key = a->identity.draw_key,
        .awake_s = state_awake_s(s, &a->place),
        .boot_unrecorded = agent_boot_is_unrecorded(a, s),
        .trouble = trouble_now(&clock, s, c),
        .ring = a->config.ring,
        .pause = conf && conf->pause,
        .pin = conf ? conf->pin : NULL,
    };
}

int agent_event(const struct agent *a, enum event_kind kind, const char *channel,
                const char *digest, const char *cause, bool blamed, const char *detail,
                struct err *err)
{
    struct event e = {.kind = kind,
                      .blamed = blamed,
                      .awake_s = clock_awake_ms(a->clock) / 1000,
                      .detail = detail && *detail ? text_clean(detail, EVENT_DETAIL_MAX) : NULL};
    int r;

    snprintf(e.channel, sizeof e.channel, "%.*s", (int)sizeof e.channel - 1, channel);
    snprintf(e.digest, sizeof e.digest, "%.64s", digest);
    snprintf(e.cause, sizeof e.cause, "%.47s", cause);
    r = spool_add(a->config.state_dir, &e, err);
    event_release(&e);
    return r;
}
