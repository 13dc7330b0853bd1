/* firebreakd: the server. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/cli.h"
#include "base/log.h"
#include "http/http.h"
#include "life.h"
#include "metrics.h"
#include "policy_file.h"

/* Every connection is a descriptor. */
static void raise_descriptors(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
        l.rlim_cur = l.rlim_max;
        setrlimit(RLIMIT_NOFILE, &l);
    }
}

/* Blocked in every thread, so that they come to sigwait below. */
static void block_signals(sigset_t *ret)
{
    sigemptyset(ret);
    sigaddset(ret, SIGTERM);
    sigaddset(ret, SIGINT);
    pthread_sigmask(SIG_BLOCK, ret, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit is a full disk, not our end */
}

static int serve(struct server *s, struct err *err)
{
    struct metrics metrics = {0};
    sigset_t signals;
    int number = 0, r;

    umask(077); /* what is to be read by others is given its mode where it is written */
    raise_descriptors();
    block_signals(&signals);
    r = server_start(s, &metrics, err);
    if (r < 0)
        return r;
    log_info("firebreakd", "version " FIREBREAK_VERSION " listens on port %d", http_port(s->http));
    while (sigwait(&signals, &number) != 0)
        ;
    log_info("firebreakd", "stops on signal %d", number);
    server_stop(s);
    return 0;
}

static int refuse_bad(void *ctx, const char *name, const struct policy *p, const struct err *why,
                      struct err *err)
{
    (void)ctx;
    (void)name;
    return p ? 0 : err_set(err, ERR_POLICY, "%s", why->msg);
}

/* A folder that is not there yet is none of the configuration's faults. */
static int check_policies(const struct config *c, struct err *err)
{
    int r = policy_each(c->policies_dir, refuse_bad, NULL, err);

    return r == -ERR_NOT_FOUND ? 0 : r;
}

static int run(struct cli *cli, struct err *err)
{
    struct server s = {.clock = clock_system()};
    int r = config_load(cli_get(cli, "config"), &s.config, err);

    if (r == 0 && cli_has(cli, "check-config"))
        r = check_policies(&s.config, err);
    if (r == 0 && cli_has(cli, "check-config")) {
        json_auto_t *o = conf_json(config_rows, &s.config, "");

        if (!cli_result(cli, o))
            conf_dump(stdout, config_rows, &s.config, "");
    } else if (r == 0) {
        r = serve(&s, err);
    }
    config_release(&s.config);
    return r;
}

static const struct cli_opt opts[] = {
    {"config", "F", "configuration file", true, false},
    {"check-config", NULL,
     "read the configuration and the policies, print what is in force, and end", false, false},
    {0},
};

static const struct cli_verb verbs[] = {
    {"", "", "run the server", opts, run},
    {0},
};

static const struct cli_program program = {
    .name = "firebreakd",
    .sentence = "releases signed content in rings, watches crash telemetry, stops what is bad",
    .verbs = verbs,
};

int main(int argc, char **argv)
{
    return cli_main(&program, argc, argv);
}
