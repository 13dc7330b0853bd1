/* firebreak-fleet: drives a real server with many lightweight agents, as a script says. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>

#include "base/cleanup.h"
#include "base/cli.h"
#include "base/file.h"
#include "run.h"

#define TOKEN_MAX          512
#define REQUEST_TIMEOUT_MS 15000

static const struct cli_opt opts[] = {
    {"script", "F", "what to play: groups, behaviours, ticks", true, false},
    {"server", "URL", "the server", true, false},
    {"token-file", "F", "file with an enrolment token of enough uses", true, false},
    {"root", "FILE", "the trusted root (without it: the server's own)", false, false},
    {"out", "F", "where the result goes", true, false},
    {"duration", "S", "end after so many seconds (the script's, or never)", false, false},
    {"ready-file", "F", "written once all are enrolled and have been heard", false, false},
    {"ca-file", "F", "PEM certificates to trust for the server", false, false},
    {0},
};

/* SIGTERM and SIGINT end the run in order, SIGUSR1 writes the result as it stands; blocked before
 * any thread starts. */
static int open_stop_fd(struct err *err)
{
    sigset_t set;
    int fd;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? err_errno(err, errno, "signalfd") : fd;
}

static int play(struct cli *cli, const char *token, struct err *err)
{
    _cleanup_(free_p)
    struct script *script = calloc(1, sizeof *script);
    struct run_options o = {.script = script,
                            .http = {.base_url = cli_get(cli, "server"),
                                     .ca_file = cli_get(cli, "ca-file"),
                                     .timeout_ms = REQUEST_TIMEOUT_MS},
                            .root_file = cli_get(cli, "root"),
                            .token = token,
                            .out = cli_get(cli, "out"),
                            .ready_file = cli_get(cli, "ready-file")};
    _cleanup_(close_p)
    int stop_fd = -1;
    int r = script ? script_read(cli_get(cli, "script"), script, err)
                   : err_set(err, ERR_NOMEM, "out of memory");

    if (r == 0)
        r = cli_get_int(cli, "duration", 1, 30 * 86400, script->duration_s, &o.duration_s, err);
    if (r < 0)
        return r;
    stop_fd = open_stop_fd(err);
    if (stop_fd < 0)
        return stop_fd;
    o.stop_fd = stop_fd;
    r = run_fleet(&o, err);
    if (r == 0)
        cli_result(cli, NULL);
    return r;
}

static int run_verb(struct cli *cli, struct err *err)
{
    char token[TOKEN_MAX];
    int r = file_read_secret_line(cli_get(cli, "token-file"), token, sizeof token, err);

    if (r == 0)
        r = play(cli, token, err);
    explicit_bzero(token, sizeof token);
    return r;
}

int main(int argc, char **argv)
{
    static const struct cli_verb verbs[] = {
        {"", NULL, "play a script against a server", opts, run_verb},
        {0},
    };
    static const struct cli_program program = {
        .name = "firebreak-fleet",
        .sentence = "thousands of lightweight agents in one process",
        .verbs = verbs,
    };

    return cli_main(&program, argc, argv);
}
