/* firebreak-sim: rollouts of millions of devices, played against the real gate. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/cli.h"
#include "golden.h"
#include "others.h"
#include "policy_file.h"
#include "replay_tell.h"
#include "report.h"
#include "run_record.h"
#include "table.h"

#define DEFAULT_SEEDS 300
#define MAX_SEEDS     1000000

static int golden_verb(struct cli *cli, struct err *err)
{
    json_t *o = cli->json ? golden_json() : NULL;

    if (cli->json && !o)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (!cli_result(cli, o))
        golden_print(stdout);
    json_decref(o);
    return 0;
}

struct request {
    struct policy policy;
    const char *scenarios_dir, *record; /* record: a file, or NULL */
    struct report_file report;          /* path NULL: none */
    int other;                          /* enum other_kind, or -1: the gate */
    bool against;                       /* the others, too */
    int64_t seeds, seed, threads, fleet, budget;
    json_t *results; /* a list */
    bool headed;
};

static const char *policies_dir(const struct cli *cli)
{
    const char *dir = cli_get(cli, "policies");

    return dir ? dir : FIREBREAK_POLICIES_DIR;
}

/* What writes one rollout to a file. */
static int read_single(const struct cli *cli, struct request *q, struct err *err)
{
    const char *what;

    q->record = cli_get(cli, "record");
    q->report = (struct report_file){cli_get(cli, "svg"), (uint64_t)q->seed};
    if (!q->record && !q->report.path)
        return 0;
    what = q->record ? "--record" : "--svg";
    if (q->record && q->report.path)
        return err_set(err, ERR_USAGE, "--record and --svg in one call");
    if (!cli_has(cli, "seeds"))
        q->seeds = 1;
    if (q->seeds != 1 || strcmp(cli_get(cli, "scenario"), "all") == 0)
        return err_set(err, ERR_USAGE, "%s is of one rollout: one scenario, one seed", what);
    if (q->other >= 0)
        return err_set(err, ERR_USAGE, "%s is of the gate's verdicts; '%s' has none", what,
                       other_name((enum other_kind)q->other));
    return 0;
}

static int read_request(const struct cli *cli, struct request *q, struct err *err)
{
    const struct {
        const char *name;
        int64_t min, max, otherwise, *at;
    } numbers[] = {
        {"seeds", 1, MAX_SEEDS, DEFAULT_SEEDS, &q->seeds},
        {"seed", 0, INT64_MAX, 1, &q->seed},
        {"threads", 1, 64, sysconf(_SC_NPROCESSORS_ONLN), &q->threads},
        {"fleet", 1, SCENARIO_FLEET_MAX, 0, &q->fleet},
        {"budget", 1, 1000000000, 0, &q->budget},
    };
    const char *name = cli_get(cli, "policy");
    int r;

    q->other = name ? other_find(name) : -1;
    q->against = cli_has(cli, "against");
    if (q->other >= 0 && q->against)
        return err_set(err, ERR_USAGE, "--against compares the gate's policy with '%s'", name);
    name = name && q->other < 0 ? name : "standard";
    r = policy_find(policies_dir(cli), name, &q->policy, err);
    for (size_t i = 0; r == 0 && i < sizeof(numbers) / sizeof(numbers[0]); i++)
        r = cli_get_int(cli, numbers[i].name, numbers[i].min, numbers[i].max, numbers[i].otherwise,
                        numbers[i].at, err);
    if (r == 0 && q->budget > 0)
        q->policy.budget_s = q->budget;
    q->scenarios_dir = cli_get(cli, "scenarios");
    if (!q->scenarios_dir)
        q->scenarios_dir = FIREBREAK_SCENARIOS_DIR;
    return r < 0 ? r : read_single(cli, q, err);
}

/* Play all seeds by one policy and tell the row; targets: NULL, or what was promised. */
static int run_row(const struct cli *cli, struct request *q, const struct table_job *job,
                   const struct scenario_targets *targets, struct err *err)
{
    struct table_row row;
    int r = table_run(job, &row, err);

    if (r < 0)
        return r;
    if (json_array_append_new(q->results, table_json(&row)) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (cli->json)
        return 0;
    if (!q->headed)
        table_print_heading(stdout);
    q->headed = true;
    table_print(stdout, &row, targets);
    if (targets)
        table_print_missed(stdout, &row, targets);
    return fflush(stdout) == EOF ? err_errno(err, errno, "write standard output") : 0;
}

static int run_other(const struct cli *cli, struct request *q, struct table_job job,
                     enum other_kind kind, struct err *err)
{
    job.policy_name = other_name(kind);
    job.play = other_play;
    job.ctx = &kind;
    return run_row(cli, q, &job, NULL, err);
}

static int run_policies(const struct cli *cli, struct request *q, const struct table_job *job,
                        const struct scenario_targets *targets, struct err *err)
{
    int r;

    if (q->other >= 0)
        return run_other(cli, q, *job, (enum other_kind)q->other, err);
    r = run_row(cli, q, job, targets, err);
    for (int k = 0; k < N_OTHERS && r == 0 && q->against; k++)
        r = run_other(cli, q, *job, (enum other_kind)k, err);
    return r;
}

static int run_scenario(const struct cli *cli, struct request *q, const char *name, struct err *err)
{
    _cleanup_(free_p)
    struct scenario *s = calloc(1, sizeof(*s));
    struct table_job job = {.scenario = s,
                            .policy = &q->policy,
                            .policy_name = q->policy.name,
                            .seeds = (int)q->seeds,
                            .seed = (uint64_t)q->seed,
                            .play = q->record        ? run_record
                                    : q->report.path ? report_play
                                                     : NULL,
                            .ctx = q->record ? (const void *)q->record : &q->report,
                            .threads = (int)q->threads,
                            .progress = isatty(STDERR_FILENO) ? stderr : NULL};
    bool standard_fleet;
    int r = s ? scenario_read(q->scenarios_dir, name, s, err)
              : err_set(err, ERR_NOMEM, "out of memory");

    if (r < 0)
        return r;
    /* The targets were promised for the fleet of the file. */
    standard_fleet = q->fleet == 0 || q->fleet == s->fleet;
    if (q->fleet > 0)
        scenario_resize(s, q->fleet);
    return run_policies(cli, q, &job, standard_fleet ? &s->targets : NULL, err);
}

static int run_all(const struct cli *cli, struct request *q, struct err *err)
{
    char **names;
    int n, r = scenario_list(q->scenarios_dir, &names, &n, err);

    if (r < 0)
        return r;
    for (int i = 0; i < n; i++) {
        if (r == 0)
            r = run_scenario(cli, q, names[i], err);
        free(names[i]);
    }
    free(names);
    return r;
}

static int run_verb(struct cli *cli, struct err *err)
{
    const char *name = cli_get(cli, "scenario");
    struct request q = {0};
    bool all = strcmp(name, "all") == 0;
    json_t *out;
    int r = read_request(cli, &q, err);

    if (r < 0)
        return r;
    q.results = json_array();
    if (!q.results)
        return err_set(err, ERR_NOMEM, "out of memory");
    r = all ? run_all(cli, &q, err) : run_scenario(cli, &q, name, err);
    if (r == 0) {
        out = all || q.against ? json_pack("{s:O}", "results", q.results)
                               : json_incref(json_array_get(q.results, 0));
        cli_result(cli, out);
        json_decref(out);
    }
    json_decref(q.results);
    return r;
}

DEFINE_CLEANUP(struct replay *, replay_free)

/* The one asked for, or the record's own: in it, or by a name that is no path. */
static int replay_policy(const struct cli *cli, const struct record_head *head, struct policy *ret,
                         struct err *err)
{
    const char *name = cli_get(cli, "policy");

    if (name)
        return policy_find(policies_dir(cli), name, ret, err);
    if (!head->has_policy)
        return err_context(err, policy_read(policies_dir(cli), head->policy_name, NULL, ret, err),
                           "%s: line 1", cli->args[0]);
    *ret = head->policy;
    return 0;
}

static int open_replay(const struct cli *cli, struct replay **ret, struct err *err)
{
    struct policy policy;
    struct record *record;
    int r = record_open(cli->args[0], &record, err);

    if (r < 0)
        return r;
    r = replay_policy(cli, record_head(record), &policy, err);
    if (r == 0)
        return replay_new(record, &policy, ret, err);
    record_close(record);
    return r;
}

static int replay_verb(struct cli *cli, struct err *err)
{
    _cleanup_(replay_free_p)
    struct replay *replay = NULL;
    struct replay_teller teller = {.out = stdout, .json = cli->json};
    int got = 1, r = open_replay(cli, &replay, err);

    while (r == 0 && (got = replay_step(replay, err)) > 0)
        r = replay_tell(&teller, replay, err);
    if (r == 0 && got < 0)
        r = got;
    if (r == 0)
        r = replay_tell_final(&teller, replay, !cli_get(cli, "policy"), err);
    if (r == 0 && replay_ends_halted(replay))
        cli->exit_status = err_exit_status(ERR_HALTED);
    return r;
}

static const struct cli_opt replay_opts[] = {
    {"policy", "NAME|FILE", "judge by this policy (default: the record's)", false, false},
    {"policies", "DIR", "where NAME.json of a policy is", false, false},
    {0},
};

static const struct cli_opt run_opts[] = {
    {"scenario", "NAME|FILE", "S1 to S12 and others, a file, or 'all'", true, false},
    {"policy", "NAME|FILE",
     "the policy (default: standard); @push, @groups, @waves: no gate at all", false, false},
    {"against", NULL, "the same rollouts by @push, @groups and @waves, too", false, false},
    {"seeds", "N", "rollouts to play (default: 300)", false, false},
    {"seed", "X", "where chance starts; the same seed gives the same result (default: 1)", false,
     false},
    {"fleet", "N", "devices (default: the scenario's)", false, false},
    {"budget", "N", "check-ins a second for tracking (default: the policy's)", false, false},
    {"threads", "N", "threads (default: one a processor); the result does not depend on it", false,
     false},
    {"record", "FILE", "write the rollout, tick by tick, for 'replay'; of one seed", false, false},
    {"svg", "FILE", "draw the rollout, against rollouts without a gate; of one seed", false, false},
    {"scenarios", "DIR", "where NAME.json of a scenario is", false, false},
    {"policies", "DIR", "where NAME.json of a policy is", false, false},
    {0},
};

static const struct cli_verb verbs[] = {
    {"golden", "", "print the gate's arithmetic on fixed counts, to compare with others", NULL,
     golden_verb},
    {"replay", "FILE", "judge recorded evidence again ('-': standard input); exit 6 where it halts",
     replay_opts, replay_verb},
    {"run", "", "play a scenario with many seeds and print what came of it", run_opts, run_verb},
    {0},
};

static const struct cli_program program = {
    "firebreak-sim",
    "plays rollouts of millions of devices against the real gate",
    NULL,
    verbs,
};

int main(int argc, char **argv)
{
    return cli_main(&program, argc, argv);
}
