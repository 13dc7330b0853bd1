/* rollout_record: a rollout as the server has it, tick by tick, for `firebreak-sim replay`. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "api.h"
#include "base/jsonx.h"
#include "ref.h"
#include "repository/repo_file.h"
#include "verbs.h"

#define PAGE_LINES_MAX 3000000

struct recording {
    struct api *api;
    struct ref ref;
    FILE *out;
    const char *path; /* NULL: standard output */
    int64_t lines;
};

static int write_lines(struct recording *rec, const json_t *lines, struct err *err)
{
    size_t i;
    json_t *line;

    json_array_foreach (lines, i, line) {
        if (json_dumpf(line, rec->out, JSON_COMPACT) < 0 || fputc('\n', rec->out) == EOF)
            return err_errno(err, errno, "write '%s'", rec->path ? rec->path : "standard output");
        rec->lines++;
    }
    return 0;
}

/* One page; *ret_next: the tick to go on from, -1 at the end. */
static int get_page(struct recording *rec, int64_t from, int64_t *ret_next, struct err *err)
{
    char path[256];
    const struct api_call call = {"GET", path, NULL, "record rollout"};
    json_auto_t *page = NULL;
    json_t *lines;
    int r;

    snprintf(path, sizeof path, "/api/v1/channels/%s/rollouts/%s/record?from=%lld",
             rec->ref.channel, rec->ref.version, (long long)from);
    r = api_json(rec->api, &call, &page, NULL, err);
    if (r == 0)
        r = jsonx_array(page, call.what, "lines", PAGE_LINES_MAX, &lines, err);
    *ret_next = -1;
    if (r == 0 && jsonx_has(page, "next"))
        r = jsonx_int(page, call.what, "next", from + 1, INT64_MAX, ret_next, err);
    return r < 0 ? r : write_lines(rec, lines, err);
}

static int get_all(struct recording *rec, struct err *err)
{
    int64_t next = 0;
    int r = 0;

    while (r == 0 && next >= 0)
        r = get_page(rec, next, &next, err);
    if (r == 0 && fflush(rec->out) == EOF)
        r = err_errno(err, errno, "write '%s'", rec->path ? rec->path : "standard output");
    return r;
}

/* What is not whole does not stay. */
static int get_into_file(struct recording *rec, struct err *err)
{
    int r = repo_file_is_new(rec->path, err);

    if (r < 0)
        return r;
    rec->out = fopen(rec->path, "wxe");
    if (!rec->out)
        return err_errno(err, errno, "create '%s'", rec->path);
    r = get_all(rec, err);
    if (r == 0 && fsync(fileno(rec->out)) < 0)
        r = err_errno(err, errno, "write '%s'", rec->path);
    fclose(rec->out);
    if (r < 0)
        unlink(rec->path);
    return r;
}

int rollout_record_run(struct cli *cli, struct err *err)
{
    _cleanup_(api_free_p)
    struct api *api = NULL;
    struct recording rec = {.out = stdout, .path = cli_get(cli, "o")};
    json_auto_t *told = NULL;
    int r = ref_parse(cli->args[0], &rec.ref, err);

    if (r == 0)
        r = api_open(cli, &api, err);
    rec.api = api;
    if (r == 0)
        r = rec.path ? get_into_file(&rec, err) : get_all(&rec, err);
    if (r < 0 || !rec.path)
        return r; /* its lines are the output, with --json, too */
    told = json_pack("{s:s, s:I}", "file", rec.path, "lines", (json_int_t)rec.lines);
    if (!cli_result(cli, told))
        printf("rollout of %s recorded in %s, %lld lines\n", cli->args[0], rec.path,
               (long long)rec.lines);
    return 0;
}
