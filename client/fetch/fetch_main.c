/* firebreak-agent-fetch: see fetch.h. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/jsonx.h"
#include "fetch/fetch.h"
#include "fetch/fetch_source.h"
#include "field.h"

static const struct {
    const char *name;
    int (*run)(const struct fetch *f, json_t *result, struct err *err);
} JOBS[] = {
    {"refresh", fetch_refresh},
    {"blobs", fetch_blobs},
    {"post", fetch_post},
};

static int run(const json_t *job, json_t *result, struct err *err)
{
    _cleanup_(fetch_sources_free_p)
    struct fetch_sources *sources = NULL;
    struct fetch f = {.job = job};
    const char *name;
    int r = jsonx_string(job, "job", "job", 32, &name, err);

    if (r == 0)
        r = jsonx_string(job, "job", "state_dir", 4096, &f.state_dir, err);
    if (r == 0)
        r = fetch_sources_open(job, &sources, err);
    if (r < 0)
        return r;
    f.sources = sources;
    for (size_t i = 0; i < sizeof JOBS / sizeof JOBS[0]; i++)
        if (strcmp(JOBS[i].name, name) == 0)
            return JOBS[i].run(&f, result, err);
    return err_set(err, ERR_INVALID, "job '%s' is unknown", name);
}

static int run_text(const struct buf *text, json_t *result, struct err *err)
{
    json_auto_t *job = NULL;
    int r = jsonx_parse(text->data, text->len, FETCH_JOB_MAX, &job, err);

    return r < 0 ? r : run(job, result, err);
}

int main(int argc, char **argv)
{
    json_auto_t *result = json_object();
    struct err err = {0};
    struct buf text;
    int r;

    (void)argv;
    if (argc > 1) {
        fprintf(stderr, "firebreak-agent-fetch is run by firebreak-agent, with a job on standard "
                        "input\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    buf_init(&text, FETCH_JOB_MAX);
    r = buf_read_fd(&text, STDIN_FILENO, &err);
    if (r == 0)
        r = run_text(&text, result, &err);
    if (text.len)
        explicit_bzero(text.data, text.len); /* a bearer token may be in it */
    buf_release(&text);
    if (r < 0)
        field_set(result, "error",
                  json_pack("{s:s, s:s, s:s}", "code", err_slug(err.code), "message", err.msg,
                            "remedy", err_show_remedy(&err)),
                  NULL);
    return json_dumpf(result, stdout, JSON_COMPACT) < 0 || fflush(stdout) != 0;
}
