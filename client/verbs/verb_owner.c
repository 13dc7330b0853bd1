/* verbs: the endpoint owner's control: rollback, hold, resume. They work beside a running agent:
 * each is a transaction on the state, which it looks at before each decision. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "apply/apply.h"
#include "apply/apply_internal.h"
#include "layout.h"
#include "apply/tree.h"
#include "verbs/verbs.h"

#define STEP_MS 100

/* --- rollback --------------------------------------------------------------------------------- */

static void ask_to_leave(struct state *s, struct state_channel *c, const void *ctx)
{
    (void)s;
    (void)ctx;
    snprintf(c->leave.digest, sizeof c->leave.digest, "%s",
             c->pending.digest[0] ? c->pending.digest : c->current);
    strcpy(c->leave.cause, "owner");
}

static int no_way_back(const struct apply *ap, struct err *err)
{
    err_set(err, ERR_NOT_FOUND, "channel '%s' has no earlier release that ran healthily here",
            ap->conf->name);
    return err_remedy(err, "'hold' keeps what runs; 'status' shows what was put away");
}

/* There is content, and something to go back to. */
static int check_way(const struct apply *ap, struct err *err)
{
    _cleanup_(free_p)
    struct state *s = NULL;
    const struct state_channel *c = NULL;
    char to[65];
    int r = state_load(&ap->agent->place, &s, err);

    if (r == 0)
        c = state_channel(s, ap->conf->name);
    if (r == 0 && (!c || !c->current[0]))
        r = err_set(err, ERR_NOT_FOUND, "channel '%s' has no content here", ap->conf->name);
    if (r == 0)
        r = apply_way_back(ap, c->current, c->pending.from, "owner", to, err);
    if (r == 0 && !to[0])
        r = no_way_back(ap, err);
    return r;
}

static bool is_left(const struct apply *ap)
{
    _cleanup_(free_p)
    struct state *s = NULL;
    const struct state_channel *c;

    if (state_load(&ap->agent->place, &s, NULL) < 0)
        return false;
    c = state_channel(s, ap->conf->name);
    return !c || (!c->leave.digest[0] && !c->pending.digest[0]);
}

/* A running agent that holds the lock does it: at the next step of its soak. */
static int wait_until_left(const struct apply *ap, struct err *err)
{
    const struct config_channel *c = ap->conf;
    int64_t most = c->preflight_deadline_ms + 2 * c->activate_deadline_ms + c->health_deadline_ms;

    for (int64_t waited = 0; waited < most; waited += STEP_MS) {
        struct timespec t = {0, STEP_MS * 1000000};

        if (is_left(ap))
            return 0;
        nanosleep(&t, NULL);
        if (apply_resolve(ap, err) == 0 && is_left(ap))
            return 0;
    }
    return err_set(err, ERR_TIMEOUT, "the running agent has not left channel '%s' yet",
                   ap->conf->name);
}

int verb_rollback(struct cli *cli, struct err *err)
{
    _cleanup_(agent_free_p)
    struct agent *a = NULL;
    struct apply ap = {0};
    int r = verb_open(cli, &a, err);

    if (r == 0)
        r = verb_channel(cli, a, &ap.conf, err);
    if (r < 0)
        return r;
    ap.agent = a;
    r = check_way(&ap, err);
    if (r == 0)
        r = apply_change(&ap, ask_to_leave, NULL, err);
    if (r == 0)
        r = apply_resolve(&ap, err);
    if (r == -ERR_CONFLICT)
        r = wait_until_left(&ap, err);
    if (r < 0)
        return r;
    if (!cli_result(cli, NULL))
        printf("channel '%s' is back at the release before; the one it left is put away\n",
               ap.conf->name);
    return 0;
}

/* --- hold and resume -------------------------------------------------------------------------- */

static int set_hold(struct state *s, void *ctx, struct err *err)
{
    (void)err;
    s->hold = *(const bool *)ctx;
    return 0;
}

int verb_hold(struct cli *cli, struct err *err)
{
    _cleanup_(agent_free_p)
    struct agent *a = NULL;
    bool hold = true;
    int r = verb_open(cli, &a, err);

    if (r == 0)
        r = state_update(&a->place, set_hold, &hold, err);
    if (r == 0 && !cli_result(cli, NULL))
        printf("nothing new is applied until 'resume'\n");
    return r;
}

struct resume {
    const struct agent *agent;
    const struct config_channel *conf; /* of `version` */
    const char *version;               /* NULL: none to let come again */
};

/* What is installed and whole is what runs; what has been put away is forgotten with the rest. */
static int adopt(struct state *s, const struct agent *a, const char *channel, struct err *err)
{
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    char name[TREE_NAME_MAX];
    struct state_channel *c;
    struct state_release *rel;
    int r = tree_link(a->config.state_dir, channel, "current", name, err);

    if (r < 0 || !name[0])
        return r;
    r = tree_manifest(a->config.state_dir, channel, name, &m, err);
    if (r == 0)
        r = tree_verify(a->config.state_dir, m, name, err);
    if (r == 0)
        r = state_add_channel(s, channel, &c, err);
    if (r < 0)
        return err_context(err, r, "take up what is installed in channel '%s'", channel);
    snprintf(c->current, sizeof c->current, "%.64s", name);
    rel = state_add_release(c, c->current);
    memcpy(rel->version, m->version, sizeof rel->version);
    rel->sequence = m->sequence;
    rel->lowest_sequence = m->lowest_sequence;
    rel->early_boot = m->early_boot;
    state_raise_lowest(c, m->lowest_sequence);
    return 0;
}

/* What its signers have taken back no owner brings back. */
static int check_revoked(struct state_channel *c, const char *version, struct err *err)
{
    for (size_t i = 0; c && i < c->n_releases; i++) {
        const struct state_revoked *r = state_revoked(c, c->releases[i].digest);

        if (!r || strcmp(c->releases[i].version, version) != 0)
            continue;
        err_set(err, ERR_REFUSED, "version '%.60s' was revoked by those who sign it: %s", version,
                r->reason[0] ? r->reason : "no reason given");
        return err_remedy(err, "wait for a repaired release");
    }
    return 0;
}

static int let_come(struct state *s, const struct resume *rs, struct err *err)
{
    struct state_channel *c = state_channel(s, rs->conf->name);
    bool found = false;
    int r = check_revoked(c, rs->version, err);

    if (r < 0)
        return r;
    for (size_t i = 0; c && i < c->n_releases; i++) {
        if (strcmp(c->releases[i].version, rs->version) != 0 ||
            !state_quarantined(c, c->releases[i].digest))
            continue;
        state_lift(c, c->releases[i].digest);
        c->releases[i].unblamed = 0;
        found = true;
    }
    return found ? 0
                 : err_set(err, ERR_NOT_FOUND, "version '%.60s' is not put away here", rs->version);
}

static int do_resume(struct state *s, void *ctx, struct err *err)
{
    const struct resume *rs = ctx;
    int r = 0;

    for (size_t i = 0; s->lost && r == 0 && i < rs->agent->config.n_channels; i++)
        r = adopt(s, rs->agent, rs->agent->config.channels[i].name, err);
    if (r == 0 && rs->version)
        return let_come(s, rs, err);
    s->hold = false;
    return r;
}

int verb_resume(struct cli *cli, struct err *err)
{
    _cleanup_(agent_free_p)
    struct agent *a = NULL;
    struct resume rs = {.version = cli_get(cli, "release")};
    int r = verb_open(cli, &a, err);

    if (r == 0 && rs.version)
        r = verb_channel(cli, a, &rs.conf, err);
    rs.agent = a;
    if (r == 0)
        r = state_renew(&a->place, do_resume, &rs, err);
    if (r == 0 && !cli_result(cli, NULL))
        printf("%s\n", rs.version ? "it may come again, with a permit" : "updates go on");
    return r;
}
