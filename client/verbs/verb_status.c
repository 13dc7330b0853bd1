/* verbs: status and verify. Neither needs the network nor disturbs a running agent. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "field.h"
#include "layout.h"
#include "state/spool.h"
#include "apply/stage.h"
#include "apply/tree.h"
#include "verbs/verbs.h"

static const char *version_of(struct state_channel *c, const char *digest)
{
    const struct state_release *r = state_release(c, digest);

    return r ? r->version : "";
}

static json_t *text_or_null(const char *s)
{
    return *s ? json_string(s) : json_null();
}

static json_t *quarantine_json(struct state_channel *c)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < c->n_quarantine; i++) {
        const struct state_quarantine *q = &c->quarantine[i];

        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b}", "digest", q->digest,
                                              "version", version_of(c, q->digest), "cause",
                                              q->cause, "blamed", q->blamed));
    }
    return list;
}

static json_t *pending_json(struct state_channel *c)
{
    const char *digest = c->attempt.digest[0] ? c->attempt.digest : c->pending.digest;

    if (!*digest)
        return json_null();
    return json_pack("{s:s, s:s, s:s}", "digest", digest, "version", version_of(c, digest), "phase",
                     c->attempt.digest[0] ? "preflight" : apply_phase_name(c->pending.phase));
}

static json_t *revoked_json(struct state_channel *c)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < c->n_revoked; i++) {
        const struct state_revoked *r = &c->revoked[i];

        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "digest", r->digest, "version",
                                              version_of(c, r->digest), "reason", r->reason));
    }
    return list;
}

/* With the clock and the metadata; all channels' or this one's. */
static struct state_trouble trouble(const struct agent *a, const struct state *s,
                                    const struct state_channel *c)
{
    struct trouble_clock clock = agent_clock(a, s);

    return trouble_now(&clock, s, c);
}

/* What runs though it is revoked, because there is nothing to go back to. */
static bool is_kept(const struct state_channel *c)
{
    return state_revoked(c, c->current) && strcmp(c->leave.digest, c->current) != 0;
}

static json_t *channel_json(const struct agent *a, struct state *s, struct state_channel *c,
                            const struct stage_choice *choice)
{
    const struct state_release *r = state_release(c, c->current);
    int64_t since = r ? state_awake_s(s, &a->place) - r->since_s : 0;

    return json_pack(
        "{s:s, s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:I, s:o, s:o, s:b, "
        "s:I, s:o}",
        "channel", c->name, "version", text_or_null(version_of(c, c->current)), "digest",
        text_or_null(c->current), "since_s", (json_int_t)(since > 0 ? since : 0), "boots",
        (json_int_t)(r ? r->boots : 0), "crashes", (json_int_t)(r ? r->crashes : 0), "good_run",
        text_or_null(version_of(c, c->good_run)), "good_boot",
        text_or_null(version_of(c, c->good_boot)), "pending", pending_json(c), "hold",
        text_or_null(choice->hold), "wants", text_or_null(choice->want.version), "refused",
        text_or_null(choice->refusal), "staged", choice->staged, "pace_wait_s",
        (json_int_t)choice->pace_wait_s, "quarantine", quarantine_json(c), "revoked",
        revoked_json(c), "runs_revoked", is_kept(c), "lowest_sequence", (json_int_t)decide_floor(c),
        "trouble", text_or_null(trouble(a, s, c).words));
}

static json_t *status_json(const struct agent *a, struct state *s)
{
    json_t *o = json_pack(
        "{s:o, s:s, s:s, s:b, s:b, s:o, s:I, s:I, s:I, s:{s:b, s:s, s:I, s:b}, s:o, s:[]}",
        "device", text_or_null(a->enrolled ? a->identity.device : ""), "cohort", a->cohort,
        "server", a->config.server, "hold", s->hold, "state_lost", s->lost, "identity_dead",
        text_or_null(s->dead_identity), "snapshot_version", (json_int_t)s->snapshot_version,
        "expires_s", (json_int_t)s->expires_s, "events_waiting",
        (json_int_t)spool_count(a->config.state_dir), "boot_guard", "on", a->guard, "why",
        a->guard_why, "failed_boots", (json_int_t)s->boot.failed_boots, "last_failed",
        s->boot.failed_last, "trouble", text_or_null(trouble(a, s, NULL).words), "channels");

    return o;
}

/* What a channel of the configuration looks like before it is known. */
static struct state_channel *channel_or(struct state *s, const char *name,
                                        struct state_channel *none)
{
    struct state_channel *c = state_channel(s, name);

    if (c)
        return c;
    memset(none, 0, sizeof *none);
    snprintf(none->name, sizeof none->name, "%s", name);
    return none;
}

/* A cause in a person's words; what the content's hooks or the boot said stays as it is. */
static const char *in_words(const char *cause)
{
    static const struct {
        const char *cause, *words;
    } rows[] = {
        {"state-lost", "its state was lost: see 'verify', then 'resume'"},
        {"boot-failed", "the last boot failed"},
        {"boot-unrecorded", "this boot could not be recorded"},
        {"held", "by the owner, until 'resume'"},
        {"paused", "by the configuration (pause)"},
        {"unsoaked", "until the present change has proved itself"},
        {"quarantined", "it was put away on this device"},
        {"pinned", "the configuration pins another version"},
        {"revoked", "its signers have revoked it"},
        {"unlisted", "the plan means what its signers do not list (any more)"},
        {"wrong-manifest", "its manifest is not of this channel or version"},
        {"critical", "it asks for what this agent does not know"},
        {"min-agent", "it needs a newer agent"},
        {"sequence", "it is below what the running release allows"},
        {"older", "it is older than what runs"},
        {"recall", "recalled"},
        {"owner", "the owner went back from it"},
        {"interrupted", "its application was interrupted"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].cause, cause) == 0)
            return rows[i].words;
    return cause;
}

static void print_channel(const struct agent *a, const struct state *s, struct state_channel *c,
                          const struct stage_choice *choice)
{
    const char *running = version_of(c, c->current);
    const struct state_trouble t = trouble(a, s, c);

    printf("\n%s\n  runs        %s\n", c->name,
           !c->current[0] ? "nothing"
           : running[0]   ? running
                          : c->current);
    if (c->attempt.digest[0] || c->pending.digest[0])
        printf("  changing    to %s: %s\n",
               version_of(c, c->attempt.digest[0] ? c->attempt.digest : c->pending.digest),
               c->attempt.digest[0] ? "preflight" : apply_phase_name(c->pending.phase));
    if (is_kept(c))
        printf(
            "  ALARM       what runs was revoked by its signers, and there is nothing to go back "
            "to: %s\n",
            state_revoked(c, c->current)->reason);
    if (choice->hold[0])
        printf("  held        %s\n",
               strcmp(choice->hold, t.hold) == 0 ? t.words : in_words(choice->hold));
    if (choice->want.version[0] && choice->pace_wait_s)
        printf("  next        %s, %s, in %" PRId64 " s at the earliest\n", choice->want.version,
               choice->staged ? "staged" : "to be staged", choice->pace_wait_s);
    else if (choice->want.version[0])
        printf("  next        %s, %s\n", choice->want.version,
               choice->staged ? "staged: waits for a permit" : "to be staged");
    if (choice->refusal[0])
        printf("  refused     %s%s%s\n", choice->want.version, choice->want.version[0] ? ": " : "",
               in_words(choice->refusal));
    for (size_t i = 0; i < c->n_quarantine; i++)
        printf("  put away    %s: %s%s\n", version_of(c, c->quarantine[i].digest),
               in_words(c->quarantine[i].cause), c->quarantine[i].blamed ? ", blamed on it" : "");
    for (size_t i = 0; i < c->n_revoked; i++)
        if (version_of(c, c->revoked[i].digest)[0])
            printf("  revoked     %s: %s\n", version_of(c, c->revoked[i].digest),
                   c->revoked[i].reason[0] ? c->revoked[i].reason : "no reason given");
    if (a->guard && c->good_boot[0])
        printf("  good boot   %s\n", version_of(c, c->good_boot));
}

static void print_head(const struct agent *a, const struct state *s)
{
    printf("device      %s\n", a->enrolled ? a->identity.device : "not enrolled: use 'enrol'");
    printf("cohort      %s\nserver      %s\n", a->cohort, a->config.server);
    if (s->dead_identity[0])
        printf("identity    refused by the server (%s): enrol this device again\n",
               s->dead_identity);
    if (s->lost)
        printf("state       lost or damaged: nothing is applied; see 'verify', then 'resume'\n");
    if (trouble(a, s, NULL).hold[0])
        printf("updates     stand still: %s\n", trouble(a, s, NULL).words);
    if (s->hold)
        printf("held        by the owner, until 'resume'\n");
    printf("boot guard  %s: %s\n", a->guard ? "on" : "off", a->guard_why);
    if (s->boot.failed_last)
        printf("last boot   failed (%" PRId64 " in a row): nothing new until one is complete\n",
               s->boot.failed_boots);
    if (spool_count(a->config.state_dir))
        printf("to report   %zu events\n", spool_count(a->config.state_dir));
}

int verb_status(struct cli *cli, struct err *err)
{
    _cleanup_(agent_free_p)
    struct agent *a = NULL;
    _cleanup_(free_p)
    struct state *s = NULL;
    json_auto_t *o = NULL;
    int r = verb_open(cli, &a, err);

    if (r == 0)
        r = state_load(&a->place, &s, err);
    if (r < 0)
        return r;
    o = status_json(a, s);
    if (!cli->json)
        print_head(a, s);
    for (size_t i = 0; i < a->config.n_channels; i++) {
        const struct config_channel *conf = &a->config.channels[i];
        struct state_channel none, *c = channel_or(s, conf->name, &none);
        struct stage_choice choice = {0};

        if (stage_choose(a, s, conf, &choice, err) < 0) {
            strcpy(choice.hold, "local-error");
            fprintf(stderr, "warning: %s: %s\n", conf->name, err->msg);
        }
        json_array_append_new(json_object_get(o, "channels"), channel_json(a, s, c, &choice));
        if (!cli->json)
            print_channel(a, s, c, &choice);
    }
    cli_result(cli, o);
    return 0;
}

/* --- verify ----------------------------------------------------------------------------------- */

/* One tree that a link means; a finding goes into the list. */
static void verify_one(const struct agent *a, const char *channel, const char *link, json_t *list)
{
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    char name[TREE_NAME_MAX], digest[65];
    struct err err = {0};
    int r = tree_link(a->config.state_dir, channel, link, name, &err);

    if (r == 0 && !name[0])
        return;
    if (r == 0) {
        snprintf(digest, sizeof digest, "%.64s", name);
        r = tree_manifest(a->config.state_dir, channel, digest, &m, &err);
    }
    if (r == 0)
        r = tree_verify(a->config.state_dir, m, name, &err);
    json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b, s:s}", "channel", channel, "link",
                                          link, "version", m ? m->version : "", "whole", r == 0,
                                          "why", r == 0 ? "" : err.msg));
}

int verb_verify(struct cli *cli, struct err *err)
{
    static const char *const links[] = {"current", "good-run", "good-boot"};
    _cleanup_(agent_free_p)
    struct agent *a = NULL;
    json_auto_t *o = json_pack("{s:[]}", "installed");
    json_t *item, *list = json_object_get(o, "installed");
    size_t i;
    int r = verb_open(cli, &a, err);

    if (r < 0)
        return r;
    for (size_t c = 0; c < a->config.n_channels; c++)
        for (size_t k = 0; k < sizeof links / sizeof links[0]; k++)
            verify_one(a, a->config.channels[c].name, links[k], list);
    json_array_foreach (list, i, item) {
        bool whole = json_is_true(json_object_get(item, "whole"));

        if (!whole)
            cli->exit_status = 1;
        if (!cli->json)
            printf("%s %s: %s %s\n", json_string_value(json_object_get(item, "channel")),
                   json_string_value(json_object_get(item, "link")), whole ? "whole:" : "DAMAGED:",
                   json_string_value(json_object_get(item, whole ? "version" : "why")));
    }
    cli_result(cli, o);
    return 0;
}
