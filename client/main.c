/* firebreak-agent: the command line of the endpoint agent. */
#include <string.h>
#include <time.h>

#include "layout.h"
#include "cycle/supervisor.h"
#include "verbs/verbs.h"

#define LOCK_WAIT_MS 2000
#define LOCK_STEP_MS 50

static const struct cli_opt global[] = {
    {.name = "config", .arg = "F", .sentence = "configuration file", .required = true},
    {0},
};

static const struct cli_opt enrol_opts[] = {
    {.name = "token-file", .arg = "F", .sentence = "enrolment token (mode 0600)", .required = true},
    {0},
};

static const struct cli_opt rollback_opts[] = {
    {.name = "channel", .arg = "NAME", .sentence = "which, where there are several"},
    {0},
};

static const struct cli_opt resume_opts[] = {
    {.name = "channel", .arg = "NAME", .sentence = "which, where there are several"},
    {.name = "release",
     .arg = "VERSION",
     .sentence = "let this version, put away here, come again"},
    {0},
};

static const struct cli_verb verbs[] = {
    {"enrol", "", "get an identity from the server", enrol_opts, verb_enrol},
    {"run", "", "stay and keep the content as the plan means it", NULL, verb_run},
    {"once", "", "one pass: refresh, stage, check in, and apply what is permitted", NULL,
     verb_once},
    {"status", "", "what runs here, what is held back and why", NULL, verb_status},
    {"verify", "", "read every byte of what is installed; status 1 if damaged", NULL, verb_verify},
    {"rollback", "", "go back to the release before, and put the present one away", rollback_opts,
     verb_rollback},
    {"hold", "", "apply nothing new until 'resume'", NULL, verb_hold},
    {"resume", "", "end a hold; take up lost state anew from what is installed", resume_opts,
     verb_resume},
    {"boot begin", "", "boot guard: early in each boot, before the consumer", NULL,
     verb_boot_begin},
    {"boot complete", "", "boot guard: once the boot is good", NULL, verb_boot_complete},
    {"boot shutdown", "", "boot guard: on an orderly stop", NULL, verb_boot_shutdown},
    {"check-config", "", "read the configuration and print what is in force", NULL,
     verb_check_config},
    {0},
};

static const struct cli_program program = {
    .name = "firebreak-agent",
    .sentence = "keeps signed content on this endpoint up to date, whole, and revocable",
    .global = global,
    .verbs = verbs,
};

int verb_open(const struct cli *cli, struct agent **ret, struct err *err)
{
    return agent_open(cli_get(cli, "config"), ret, err);
}

int verb_channel(const struct cli *cli, const struct agent *a, const struct config_channel **ret,
                 struct err *err)
{
    const char *name = cli_get(cli, "channel");

    if (!name && a->config.n_channels != 1) {
        err_set(err, ERR_USAGE, "there are %zu channels", a->config.n_channels);
        return err_remedy(err, "say which with --channel NAME");
    }
    *ret = name ? config_channel(&a->config, name) : &a->config.channels[0];
    return *ret ? 0 : err_set(err, ERR_NOT_FOUND, "channel '%.40s' is not configured", name);
}

int verb_check_config(struct cli *cli, struct err *err)
{
    struct config c = {0};
    json_auto_t *o = NULL;
    int r = config_read(cli_get(cli, "config"), &c, err);

    if (r == 0) {
        o = config_json(&c);
        if (!cli_result(cli, o))
            config_dump(stdout, &c);
    }
    config_release(&c);
    return r;
}

/* The workers of an agent that was killed die with it, but not in the same instant. */
static int lock_alone(const struct agent *a, struct err *err)
{
    struct timespec step = {0, LOCK_STEP_MS * 1000000};
    int lock = agent_lock(a, LAYOUT_RUN_LOCK, err);

    for (int waited = 0; lock == -ERR_CONFLICT && waited < LOCK_WAIT_MS; waited += LOCK_STEP_MS) {
        nanosleep(&step, NULL);
        lock = agent_lock(a, LAYOUT_RUN_LOCK, err);
    }
    return lock;
}

/* One resident agent, or one pass, at a time. */
static int alone(struct cli *cli, int (*run)(struct agent *a, struct err *err), struct err *err)
{
    _cleanup_(agent_free_p)
    struct agent *a = NULL;
    _cleanup_(close_p)
    int lock = -1;
    int r = verb_open(cli, &a, err);

    if (r == 0)
        r = agent_need_identity(a, err);
    if (r < 0)
        return r;
    lock = lock_alone(a, err);
    return lock < 0 ? lock : run(a, err);
}

int verb_run(struct cli *cli, struct err *err)
{
    return alone(cli, supervisor_run, err);
}

int verb_once(struct cli *cli, struct err *err)
{
    int r = alone(cli, supervisor_once, err);

    if (r == 0)
        cli_result(cli, NULL);
    return r;
}

int main(int argc, char **argv)
{
    return cli_main(&program, argc, argv);
}
