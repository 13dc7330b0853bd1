/* firebreak-tuf: a small client of any TUF repository (specification 1.0.34). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/clock.h"
#include "base/file.h"
#include "remote.h"
#include "targets.h"
#include "whole.h"

static const struct cli_opt global[] = {
    {.name = "metadata-dir", .arg = "D", .sentence = "trusted metadata", .required = true},
    {.name = "metadata-url", .arg = "U", .sentence = "where the repository's metadata is"},
    {.name = "target-name", .arg = "P", .sentence = "a target path to download", .repeated = true},
    {.name = "target-base-url", .arg = "B", .sentence = "where the repository's targets are"},
    {.name = "target-dir", .arg = "T", .sentence = "where verified targets go"},
    {0},
};

/* The options that a verb needs; they stand before it, so no verb has options of its own. */
static int need(const struct cli *cli, const char *const *names, struct err *err)
{
    for (; *names; names++)
        if (!cli_has(cli, *names))
            return err_set(err, ERR_USAGE, "option --%s is missing", *names);
    return 0;
}

/* One process at a time: two that store what they accept could undo each other's newer files. */
static int lock(const char *dir, int *ret_fd, struct err *err)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err, errno, "open '%s'", dir);
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR) {
            err_errno(err, errno, "lock '%s'", dir);
            close(fd);
            return -ERR_IO;
        }
    *ret_fd = fd;
    return 0;
}

/* True for a root that is trusted already, byte for byte: initialising twice changes nothing. */
static bool is_trusted(const struct tuf_store *store, const struct buf *root)
{
    struct buf b;
    bool same;

    buf_init(&b, TUF_ROOT_MAX);
    same = store->get(store->ctx, "root.json", &b, NULL) == 0 && b.len == root->len &&
           memcmp(b.data, root->data, b.len) == 0;
    buf_release(&b);
    return same;
}

static int init(const char *dir, const struct buf *root, struct err *err)
{
    const struct tuf_store store = whole_store(dir);
    _cleanup_(close_p)
    int held = -1;
    int r = lock(dir, &held, err);

    if (r == 0)
        r = tuf_client_init(&store, root->data, root->len, err);
    return r == -ERR_EXISTS && is_trusted(&store, root) ? 0 : r;
}

static int run_init(struct cli *cli, struct err *err)
{
    const char *dir = cli_get(cli, "metadata-dir");
    struct buf root;
    int r;

    buf_init(&root, TUF_ROOT_MAX);
    r = file_read(cli->args[0], &root, err);
    if (r == 0)
        r = file_mkdir_p(dir, 0755, err);
    if (r == 0)
        r = init(dir, &root, err);
    buf_release(&root);
    if (r == 0)
        cli_result(cli, NULL);
    return r;
}

/* A client whose metadata has just been refreshed. */
struct session {
    int lock;
    struct remote remote;
    struct tuf_client *client;
    int64_t now_s; /* the fixed start of the update (5.1) */
};

static void session_release(struct session *s)
{
    tuf_client_free(s->client);
    remote_release(&s->remote);
    if (s->lock >= 0)
        close(s->lock);
}

static int session_open(struct session *s, const struct cli *cli, const char *targets_url,
                        struct err *err)
{
    const char *dir = cli_get(cli, "metadata-dir");
    const struct tuf_store store = whole_store(dir);
    const struct tuf_fetch fetch = remote_fetch(&s->remote);
    int r;

    *s = (struct session){.lock = -1, .now_s = clock_wall_ms(clock_system()) / 1000};
    r = lock(dir, &s->lock, err);
    if (r == 0)
        r = remote_open(&s->remote, clock_system(), cli_get(cli, "metadata-url"), targets_url, err);
    if (r == 0)
        r = tuf_client_new(&store, &fetch, &s->client, err);
    return r < 0 ? r : tuf_client_refresh(s->client, s->now_s, err);
}

static int run_refresh(struct cli *cli, struct err *err)
{
    static const char *const needed[] = {"metadata-url", NULL};
    json_auto_t *result = NULL;
    _cleanup_(session_release)
    struct session s = {.lock = -1};
    char until[21];
    int r = need(cli, needed, err);

    if (r == 0)
        r = session_open(&s, cli, NULL, err);
    if (r < 0)
        return r;
    clock_format_utc(tuf_client_expires_s(s.client), until);
    result = json_pack("{s:I, s:I, s:s}", "root_version",
                       (json_int_t)tuf_client_root_version(s.client), "snapshot_version",
                       (json_int_t)tuf_client_snapshot_version(s.client), "expires", until);
    if (!cli_result(cli, result))
        printf("root version %lld, snapshot version %lld, good until %s\n",
               (long long)tuf_client_root_version(s.client),
               (long long)tuf_client_snapshot_version(s.client), until);
    return 0;
}

/* In the order given, up to the first failure. */
static int download_all(const struct cli *cli, struct session *s, json_t *result, struct err *err)
{
    const char *name;

    for (int i = 0; (name = cli_get_nth(cli, "target-name", i)); i++) {
        _cleanup_(free_p)
        char *path = NULL;
        int r = targets_get(s->client, s->now_s, name, cli_get(cli, "target-dir"), &path, err);

        if (r < 0)
            return r;
        if (!cli->json)
            printf("%s\n", path);
        else if (json_array_append_new(result,
                                       json_pack("{s:s, s:s}", "name", name, "file", path)) < 0)
            return err_set(err, ERR_NOMEM, "out of memory");
    }
    return 0;
}

static int run_download(struct cli *cli, struct err *err)
{
    static const char *const needed[] = {"metadata-url", "target-name", "target-base-url",
                                         "target-dir", NULL};
    json_auto_t *targets = json_array();
    json_auto_t *result = json_pack("{s:O}", "targets", targets);
    _cleanup_(session_release)
    struct session s = {.lock = -1};
    int r = need(cli, needed, err);

    if (r == 0)
        r = session_open(&s, cli, cli_get(cli, "target-base-url"), err);
    if (r == 0)
        r = file_mkdir_p(cli_get(cli, "target-dir"), 0755, err);
    if (r == 0)
        r = download_all(cli, &s, targets, err);
    if (r == 0)
        cli_result(cli, result);
    return r;
}

static const struct cli_verb verbs[] = {
    {"init", "ROOT", "begin to trust this root", NULL, run_init},
    {"refresh", "", "bring the metadata up to date", NULL, run_refresh},
    {"download", "", "refresh, then download targets in the order given", NULL, run_download},
    {0},
};

static const struct cli_program program = {
    .name = "firebreak-tuf",
    .sentence = "downloads verified files from a TUF repository",
    .global = global,
    .verbs = verbs,
};

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    return cli_main(&program, argc, argv) == 0 ? 0 : 1;
}
