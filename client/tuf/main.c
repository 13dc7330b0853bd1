/* firebreak-tuf: a small client of any TUF repository (specification 1.0.34). */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cli.h"
#include "base/clock.h"
#include "base/file.h"
#include "remote.h"
#include "targets.h"

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

static int run_init(struct cli *cli, struct err *err)
{
    const char *dir = cli_get(cli, "metadata-dir");
    struct tuf_store store = tuf_store_dir(dir);
    struct buf root;
    int r;

    buf_init(&root, TUF_ROOT_MAX);
    r = file_read(cli->args[0], &root, err);
    if (r == 0)
        r = file_mkdir_p(dir, 0755, err);
    if (r == 0)
        r = tuf_client_init(&store, root.data, root.len, err);
    if (r == -ERR_EXISTS && is_trusted(&store, &root))
        r = 0;
    buf_release(&root);
    return r;
}

/* A client whose metadata has just been refreshed. */
static int open_fresh(const struct cli *cli, struct remote *remote, int64_t now_s,
                      struct tuf_client **ret, struct err *err)
{
    _cleanup_(tuf_client_free_p)
    struct tuf_client *c = NULL;
    struct tuf_store store = tuf_store_dir(cli_get(cli, "metadata-dir"));
    struct tuf_fetch fetch = remote_fetch(remote);
    int r = tuf_client_new(&store, &fetch, &c, err);

    if (r == 0)
        r = tuf_client_refresh(c, now_s, err);
    if (r == 0)
        *ret = take_ptr(c);
    return r;
}

static int64_t now(void)
{
    return clock_wall_ms(clock_system()) / 1000;
}

static int run_refresh(struct cli *cli, struct err *err)
{
    static const char *const needed[] = {"metadata-url", NULL};
    _cleanup_(tuf_client_free_p)
    struct tuf_client *c = NULL;
    _cleanup_(remote_release)
    struct remote remote = {0};
    int r = need(cli, needed, err);

    if (r == 0)
        r = remote_open(&remote, cli_get(cli, "metadata-url"), NULL, err);
    if (r == 0)
        r = open_fresh(cli, &remote, now(), &c, err);
    return r;
}

/* In the order given, up to the first failure. */
static int download_all(const struct cli *cli, struct tuf_client *c, int64_t now_s, struct err *err)
{
    const char *name;

    for (int i = 0; (name = cli_get_nth(cli, "target-name", i)); i++) {
        _cleanup_(free_p)
        char *path = NULL;
        int r = targets_get(c, now_s, name, cli_get(cli, "target-dir"), &path, err);

        if (r < 0)
            return r;
        printf("%s\n", path);
    }
    return 0;
}

static int run_download(struct cli *cli, struct err *err)
{
    static const char *const needed[] = {"metadata-url", "target-name", "target-base-url",
                                         "target-dir", NULL};
    _cleanup_(tuf_client_free_p)
    struct tuf_client *c = NULL;
    _cleanup_(remote_release)
    struct remote remote = {0};
    int64_t now_s = now();
    int r = need(cli, needed, err);

    if (r == 0)
        r = remote_open(&remote, cli_get(cli, "metadata-url"), cli_get(cli, "target-base-url"),
                        err);
    if (r == 0)
        r = open_fresh(cli, &remote, now_s, &c, err);
    if (r == 0)
        r = file_mkdir_p(cli_get(cli, "target-dir"), 0755, err);
    return r < 0 ? r : download_all(cli, c, now_s, err);
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
