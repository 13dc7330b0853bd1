/* state: see state.h. Its JSON form is in state_json.c. */
#include "state/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "layout.h"
#include "text.h"

int state_lock(const char *dir, struct err *err)
{
    struct path p;
    _cleanup_(close_p)
    int fd = open(layout_at(&p, dir, LAYOUT_UPDATE_LOCK), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_errno(err, errno, "open '%s'", p.s);
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return err_errno(err, errno, "lock '%s'", p.s);
    return take_fd(&fd);
}

static int read_slots(const struct state_place *at, struct state *s, struct err *err)
{
    struct path p;
    struct slots slots;
    struct buf b;
    struct err why = {0};
    int r;

    buf_init(&b, SLOTS_JSON_MAX);
    r = slots_read(layout_at(&p, at->dir, LAYOUT_STATE), &slots, &b, err);
    if (r == 0 && slots.winner && state_parse(b.data, b.len, s, &why) < 0) {
        /* Whole, but not ours to understand: the same as lost. */
        memset(s, 0, sizeof *s);
        s->lost = true;
    }
    buf_release(&b);
    if (r < 0)
        return r;
    s->slots = slots;
    s->damaged = slots.damaged;
    if (!slots.winner && layout_is_inhabited(at->dir))
        s->lost = true;
    return 0;
}

int state_load(const struct state_place *at, struct state **ret, struct err *err)
{
    _cleanup_(free_p)
    struct state *s = calloc(1, sizeof *s);
    int r;

    if (!s)
        return err_set(err, ERR_NOMEM, "out of memory while reading the state");
    r = read_slots(at, s, err);
    if (r < 0)
        return r;
    *ret = take_ptr(s);
    return 0;
}

int64_t state_awake_s(const struct state *s, const struct state_place *at)
{
    int64_t now_s = clock_awake_ms(at->clock) / 1000;
    int64_t since = strcmp(s->bank_boot, at->boot_id) == 0 ? now_s - s->bank_awake_s : now_s;

    return s->bank_s + (since > 0 ? since : 0);
}

static int write_slots(const struct state_place *at, struct state *s, struct err *err)
{
    int64_t now_s = clock_awake_ms(at->clock) / 1000;
    struct path p;
    struct buf b;
    int r;

    s->bank_s = state_awake_s(s, at);
    s->bank_awake_s = now_s;
    snprintf(s->bank_boot, sizeof s->bank_boot, "%s", at->boot_id);
    buf_init(&b, SLOTS_JSON_MAX);
    r = file_mkdir_p(layout_at(&p, at->dir, LAYOUT_STATE), 0700, err);
    if (r == 0)
        r = state_dump(s, &b, err);
    if (r == 0)
        r = slots_write(p.s, &s->slots, b.data, b.len, err);
    buf_release(&b);
    return err_context(err, r, "save the state");
}

static int transact(const struct state_place *at, bool renew, state_change_fn change, void *ctx,
                    struct err *err)
{
    _cleanup_(close_p)
    int lock = state_lock(at->dir, err);
    _cleanup_(free_p)
    struct state *s = NULL;
    int r;

    if (lock < 0)
        return lock;
    r = state_load(at, &s, err);
    if (r < 0)
        return r;
    if (s->lost && !renew) {
        err_set(err, ERR_HELD, "the state in '%s' is lost or damaged: nothing is applied", at->dir);
        return err_remedy(err, "check what is installed with 'verify', then run 'resume'");
    }
    r = change(s, ctx, err);
    return r ? r : write_slots(at, s, err);
}

int state_update(const struct state_place *at, state_change_fn change, void *ctx, struct err *err)
{
    return transact(at, false, change, ctx, err);
}

int state_renew(const struct state_place *at, state_change_fn change, void *ctx, struct err *err)
{
    return transact(at, true, change, ctx, err);
}

struct state_channel *state_channel(struct state *s, const char *name)
{
    for (size_t i = 0; i < s->n_channels; i++)
        if (strcmp(s->channels[i].name, name) == 0)
            return &s->channels[i];
    return NULL;
}

int state_add_channel(struct state *s, const char *name, struct state_channel **ret,
                      struct err *err)
{
    struct state_channel *c = state_channel(s, name);

    if (!c) {
        if (s->n_channels == CHECKIN_MAX_CHANNELS)
            return err_set(err, ERR_TOO_LARGE, "more than %d channels", CHECKIN_MAX_CHANNELS);
        c = &s->channels[s->n_channels++];
        memset(c, 0, sizeof *c);
        snprintf(c->name, sizeof c->name, "%s", name);
    }
    *ret = c;
    return 0;
}

struct state_release *state_release(struct state_channel *c, const char *digest)
{
    for (size_t i = 0; *digest && i < c->n_releases; i++)
        if (strcmp(c->releases[i].digest, digest) == 0)
            return &c->releases[i];
    return NULL;
}

static bool is_in_use(const struct state_channel *c, const char *digest)
{
    const char *const used[] = {c->current,        c->good_run,     c->good_boot,
                                c->pending.digest, c->pending.from, c->attempt.digest};

    for (size_t i = 0; i < sizeof used / sizeof used[0]; i++)
        if (strcmp(used[i], digest) == 0)
            return true;
    return false;
}

/* Its manifest says how far down the server may send this device (decide_floor). */
static const struct state_release *newest_healthy(const struct state_channel *c)
{
    const struct state_release *newest = NULL;

    for (size_t i = 0; i < c->n_releases; i++)
        if (c->releases[i].healthy_s && (!newest || c->releases[i].sequence > newest->sequence))
            newest = &c->releases[i];
    return newest;
}

/* Which one to forget: never healthy before healthy, then the one seen longest ago. */
static struct state_release *least_useful(struct state_channel *c)
{
    const struct state_release *newest = newest_healthy(c);
    struct state_release *worst = NULL;

    for (size_t i = 0; i < c->n_releases; i++) {
        struct state_release *r = &c->releases[i];

        if (r == newest || is_in_use(c, r->digest))
            continue;
        if (!worst || r->healthy_s < worst->healthy_s ||
            (r->healthy_s == worst->healthy_s && r->seen_s < worst->seen_s))
            worst = r;
    }
    return worst;
}

struct state_release *state_add_release(struct state_channel *c, const char *digest)
{
    struct state_release *r = state_release(c, digest);

    if (r)
        return r;
    r = c->n_releases < STATE_MAX_RELEASES ? &c->releases[c->n_releases++] : least_useful(c);
    memset(r, 0, sizeof *r); /* never NULL: seven digests at most are in use */
    snprintf(r->digest, sizeof r->digest, "%s", digest);
    return r;
}

static struct state_quarantine *find_quarantine(struct state_channel *c, const char *digest)
{
    for (size_t i = 0; i < c->n_quarantine; i++)
        if (strcmp(c->quarantine[i].digest, digest) == 0)
            return &c->quarantine[i];
    return NULL;
}

const struct state_quarantine *state_quarantined(const struct state_channel *c, const char *digest)
{
    return find_quarantine((struct state_channel *)c, digest);
}

static void forget_quarantine(struct state_channel *c, struct state_quarantine *q)
{
    size_t after = (size_t)(&c->quarantine[c->n_quarantine] - (q + 1));

    memmove(q, q + 1, after * sizeof *q);
    c->n_quarantine--;
}

void state_lift(struct state_channel *c, const char *digest)
{
    struct state_quarantine *q = find_quarantine(c, digest);

    if (q)
        forget_quarantine(c, q);
}

bool state_add_quarantine(struct state_channel *c, const char *digest, const char *cause,
                          bool blamed)
{
    struct state_quarantine *q = find_quarantine(c, digest);

    if (q) {
        q->blamed = q->blamed || blamed;
        return false;
    }
    if (c->n_quarantine == STATE_MAX_QUARANTINE) {
        /* The oldest one without blame goes; the oldest of all where every one is blamed. */
        for (q = c->quarantine; q < c->quarantine + c->n_quarantine && q->blamed; q++)
            ;
        forget_quarantine(c, q < c->quarantine + c->n_quarantine ? q : c->quarantine);
    }
    q = &c->quarantine[c->n_quarantine++];
    memset(q, 0, sizeof *q);
    snprintf(q->digest, sizeof q->digest, "%s", digest);
    snprintf(q->cause, sizeof q->cause, "%s", cause);
    q->blamed = blamed;
    return true;
}

const struct state_revoked *state_revoked(const struct state_channel *c, const char *digest)
{
    for (size_t i = 0; *digest && i < c->n_revoked; i++)
        if (strcmp(c->revoked[i].digest, digest) == 0)
            return &c->revoked[i];
    return NULL;
}

void state_raise_lowest(struct state_channel *c, int64_t sequence)
{
    if (sequence > c->lowest_sequence)
        c->lowest_sequence = sequence;
}

bool state_put_away(const struct state_channel *c, const char *digest)
{
    return state_quarantined(c, digest) || state_revoked(c, digest);
}

/* Room for one more; false: all that is here is named by `by`, or `by` is too old to displace. */
static bool make_room(struct state_channel *c, int64_t version, const struct revoked *by)
{
    if (c->n_revoked < STATE_MAX_REVOKED)
        return true;
    if (version < c->revoked_version)
        return false;
    for (size_t i = 0; i < c->n_revoked; i++) {
        if (revoked_reason(by, c->revoked[i].digest))
            continue;
        c->n_revoked--;
        memmove(&c->revoked[i], &c->revoked[i + 1], (c->n_revoked - i) * sizeof c->revoked[0]);
        return true;
    }
    return false;
}

bool state_revoke(struct state_channel *c, int64_t version, const struct revoked *revoked)
{
    bool added = false;

    for (size_t i = 0; i < revoked->n; i++) {
        const struct revoked_item *item = &revoked->items[i];
        struct state_revoked *r;

        if (state_revoked(c, item->digest) || !make_room(c, version, revoked))
            continue;
        r = &c->revoked[c->n_revoked++];
        memset(r, 0, sizeof *r);
        memcpy(r->digest, item->digest, sizeof r->digest);
        snprintf(r->reason, sizeof r->reason, "%.*s",
                 text_shown(item->reason, STATE_REASON_MAX - 1), item->reason);
        added = true;
    }
    if (version > c->revoked_version)
        c->revoked_version = version;
    return added;
}

const struct state_channel *state_unsoaked(const struct state *s)
{
    for (size_t i = 0; i < s->n_channels; i++)
        if (s->channels[i].pending.digest[0] || s->channels[i].attempt.digest[0])
            return &s->channels[i];
    return NULL;
}
