/* verb: enrol. The attempt's number is kept before the server is asked, so that a lost answer costs
 * no use of the token: the same attempt gets the same identity again. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hex.h"
#include "cycle/child.h"
#include "fetch/exchange.h"
#include "layout.h"
#include "trust/trust.h"
#include "verbs/verbs.h"

#define TOKEN_MAX  256
#define ANSWER_MAX 4096

static int read_attempt(const struct agent *a, char ret[33], struct err *err)
{
    struct path p;
    struct buf b;
    int r;

    buf_init(&b, 64);
    r = file_read_secret(layout_at(&p, a->config.state_dir, LAYOUT_ATTEMPT), &b, err);
    if (r == 0 && hex_is(b.data, 32)) {
        memcpy(ret, b.data, 33);
    } else if (r == 0 || r == -ERR_NOT_FOUND) {
        rand_hex(ret, 16);
        r = file_write_durable(p.s, ret, 32, 0600, err);
    }
    buf_release(&b);
    return r;
}

static int ask(const struct agent *a, const char *token, json_t **ret, struct err *err)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    struct enrol_request rq = {.platform = a->platform};
    json_auto_t *job = NULL;
    struct child child;
    struct buf body;
    int r = read_attempt(a, rq.attempt, err);

    buf_init(&body, ANSWER_MAX);
    if (r == 0)
        r = agent_machine(a, "", rq.machine, err);
    if (r == 0)
        r = enrol_request_dump(&rq, &body, err);
    if (r == 0) {
        job = exchange_post(a, "/api/v1/enrol", headers, token, body.data, ANSWER_MAX);
        r = job ? child_start_fetch(a, job, EXCHANGE_POST_MS, &child, err)
                : err_set(err, ERR_NOMEM, "out of memory");
    }
    if (r == 0)
        r = child_wait(a, &child, ret, err);
    buf_release(&body);
    return r;
}

static int revive(struct state *s, void *ctx, struct err *err)
{
    (void)ctx;
    (void)err;
    s->dead_identity[0] = '\0';
    return 0;
}

/* State before identity: an identity without state is a loss. */
static int keep(struct agent *a, const struct exchange_answer *an, struct err *err)
{
    struct identity identity = {0};
    struct path p;
    int r = identity_parse(an->body, an->len, &identity, err);

    if (r < 0)
        return err_context(err, r, "the server's answer");
    a->identity = identity;
    explicit_bzero(&identity, sizeof identity);
    r = trust_init(a, err);
    if (r == 0)
        r = state_update(&a->place, revive, NULL, err);
    if (r == 0)
        r = file_write_durable(layout_at(&p, a->config.state_dir, LAYOUT_IDENTITY), an->body,
                               an->len, 0600, err);
    if (r == 0)
        unlink(layout_at(&p, a->config.state_dir, LAYOUT_ATTEMPT));
    return r;
}

/* Enrolled already is an error, unless the server has given this identity up. */
static int check_need(const struct agent *a, struct err *err)
{
    _cleanup_(free_p)
    struct state *s = NULL;
    int r = state_load(&a->place, &s, err);

    if (r < 0 || !a->enrolled || s->dead_identity[0])
        return r;
    err_set(err, ERR_EXISTS, "this device is enrolled already, as %s", a->identity.device);
    return err_remedy(err, "remove '%s/" LAYOUT_IDENTITY "' to enrol it as another device",
                      a->config.state_dir);
}

static void tell(struct cli *cli, const struct agent *a)
{
    json_auto_t *o =
        json_pack("{s:s, s:s, s:s, s:s}", "device", a->identity.device, "group", a->identity.group,
                  "repository", a->identity.repository, "cohort", a->cohort);

    if (!cli_result(cli, o))
        printf("enrolled as %s in group '%s', cohort %s\n", a->identity.device, a->identity.group,
               a->cohort);
}

int verb_enrol(struct cli *cli, struct err *err)
{
    _cleanup_(agent_free_p)
    struct agent *a = NULL;
    _cleanup_(close_p)
    int lock = -1;
    json_auto_t *result = NULL;
    struct exchange_answer an;
    char token[TOKEN_MAX];
    int r = verb_open(cli, &a, err);

    if (r == 0)
        r = check_need(a, err);
    if (r == 0)
        r = file_read_secret_line(cli_get(cli, "token-file"), token, sizeof token, err);
    if (r < 0)
        return r;
    lock = agent_lock(a, "enrol.lock", err);
    r = lock < 0 ? lock : ask(a, token, &result, err);
    explicit_bzero(token, sizeof token);
    if (r == 0)
        r = exchange_read_answer(result, &an, err);
    if (r == 0)
        r = keep(a, &an, err);
    if (r < 0)
        return err_context(err, r, "enrol");
    tell(cli, a);
    return 0;
}
