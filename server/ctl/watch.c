/* watch: a rollout until it ends: redrawn in place on a terminal, a line per change otherwise. */
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "api.h"
#include "base/clock.h"
#include "ref.h"
#include "status.h"
#include "table.h"
#include "verbs.h"

#define MAX_INTERVAL_S 3600
#define MAX_TIMEOUT_S  (30 * 86400)

/* X(NAME, text) */
#define UNTILS(X) X(ENDED, "ended") X(COMPLETE, "complete") X(HALTED, "halted")
enum until {
#define X(name, text) UNTIL_##name,
    UNTILS(X)
#undef X
};

struct watch {
    char channel[CHANNEL_NAME_MAX];
    enum until until;
    int64_t interval_s, timeout_s; /* 0: no limit */
    bool tty, json;
    int drawn;      /* lines on the terminal to draw over */
    char last[512]; /* line shown last */
    bool lost;      /* the server is away, and that was said */
};

static int until_from(const char *text, enum until *ret)
{
    static const char *const names[] = {
#define X(name, text) [UNTIL_##name] = text,
        UNTILS(X)
#undef X
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], text) == 0) {
            *ret = (enum until)i;
            return 0;
        }
    return -1;
}

/* True where nothing more is waited for. Complete and halted end every watch: after one the other
 * cannot come. */
static bool is_over(enum rollout_state state)
{
    switch (state) {
    case ROLLOUT_RUNNING:
    case ROLLOUT_PAUSED:
        return false;
    case ROLLOUT_HALTED:
    case ROLLOUT_COMPLETE:
    case ROLLOUT_SUPERSEDED:
        return true;
    }
    return false;
}

static int screen_columns(void)
{
    struct winsize size;

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* Lines that the text takes on a screen where long ones go on in the next. Colours take no room. */
static int screen_lines(const char *text, int columns)
{
    int lines = 0, at = 0;

    for (const char *p = text; *p; p++) {
        if (*p == '\033') {
            p += strcspn(p, "m\n");
        } else if (*p == '\n') {
            lines += at > 0 ? (at + columns - 1) / columns : 1;
            at = 0;
        } else {
            at += ((unsigned char)*p & 0xc0) != 0x80;
        }
        if (!*p)
            break;
    }
    return lines;
}

static void draw(struct watch *w, const json_t *status)
{
    _cleanup_(free_p)
    char *text = NULL;
    size_t len;
    FILE *mem = open_memstream(&text, &len);

    if (!mem)
        return;
    if (w->tty)
        status_print(status, table_colours(stdout), mem);
    else
        status_print_line(status, mem);
    fclose(mem);
    if (!text)
        return;
    if (w->tty) {
        if (w->drawn)
            printf("\033[%dA\033[J", w->drawn);
        w->drawn = screen_lines(text, screen_columns());
        fputs(text, stdout);
    } else if (strncmp(text, w->last, sizeof w->last - 1) != 0) {
        snprintf(w->last, sizeof w->last, "%s", text);
        fputs(text, stdout);
    }
    fflush(stdout);
}

/* A server that is away or a channel without a rollout may change: said once, then waited for. */
static bool may_pass(struct watch *w, const struct err *err)
{
    bool pass = err->code == ERR_UNREACHABLE || err->code == ERR_TIMEOUT ||
                err->code == ERR_UNAVAILABLE || err->code == ERR_NOT_FOUND;

    if (pass && !w->lost) {
        char safe[ERR_MSG_MAX];

        fprintf(stderr, "waiting: %s\n", table_safe(err->msg, safe, sizeof safe));
        w->drawn = 0;
    }
    w->lost = pass;
    return pass;
}

static void wait_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

static int follow(struct watch *w, struct api *api, json_t **ret, enum rollout_state *ret_state,
                  struct err *err)
{
    int64_t started_ms = clock_boot_ms(clock_system());

    for (;;) {
        json_auto_t *status = NULL;
        int64_t left_ms;
        int r = status_get(api, w->channel, &status, ret_state, err);

        if (r < 0 && !may_pass(w, err))
            return r;
        if (r == 0) {
            w->lost = false;
            if (!w->json)
                draw(w, status);
            if (is_over(*ret_state)) {
                *ret = take_ptr(status);
                return 0;
            }
        }
        left_ms = w->timeout_s ? w->timeout_s * 1000 - (clock_boot_ms(clock_system()) - started_ms)
                               : w->interval_s * 1000;
        if (left_ms <= 0)
            return err_set(err, ERR_TIMEOUT, "rollout of channel '%s' did not end within %lld s",
                           w->channel, (long long)w->timeout_s);
        wait_ms(left_ms < w->interval_s * 1000 ? left_ms : w->interval_s * 1000);
    }
}

static int read_options(const struct cli *cli, struct watch *w, struct err *err)
{
    const char *until = cli_get(cli, "until");
    int r = ref_channel(cli->args[0], w->channel, err);

    if (r == 0 && until && until_from(until, &w->until) < 0)
        r = err_set(err, ERR_USAGE, "--until is '%.20s', not complete, halted or ended", until);
    if (r == 0)
        r = cli_get_int(cli, "interval", 1, MAX_INTERVAL_S, 2, &w->interval_s, err);
    if (r == 0)
        r = cli_get_int(cli, "timeout", 1, MAX_TIMEOUT_S, 0, &w->timeout_s, err);
    return r;
}

int watch_run(struct cli *cli, struct err *err)
{
    struct watch w = {.json = cli->json, .tty = isatty(STDOUT_FILENO)};
    _cleanup_(api_free_p)
    struct api *api = NULL;
    json_auto_t *status = NULL;
    enum rollout_state state;
    int r = read_options(cli, &w, err);

    if (r == 0)
        r = api_open(cli, &api, err);
    if (r == 0)
        r = follow(&w, api, &status, &state, err);
    if (r < 0)
        return r;
    cli_result(cli, status);
    if (state == ROLLOUT_HALTED)
        cli->exit_status = err_exit_status(ERR_HALTED);
    else if ((w.until == UNTIL_HALTED && state != ROLLOUT_HALTED) ||
             (w.until == UNTIL_COMPLETE && state != ROLLOUT_COMPLETE))
        return err_set(err, ERR_CONFLICT, "rollout ended %s instead", rollout_state_name(state));
    return 0;
}
