/* life: see life.h. */
#include "life.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "auth.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "controller.h"
#include "fleet/fleet.h"
#include "http/http.h"
#include "intake.h"
#include "master.h"
#include "repo/repo.h"
#include "rollouts/rollouts.h"
#include "store/store.h"

#define MAX_BATCH_ROWS 20000

static int open_store(struct server *s, struct err *err)
{
    _cleanup_(free_p)
    char *path = path_join(s->config.state_dir, "firebreak.db");
    const struct store_options o = {path, s->config.commit_delay_ms, MAX_BATCH_ROWS};
    int r = file_mkdir_p(s->config.state_dir, 0700, err);

    if (r == 0 && !path)
        r = err_set(err, ERR_NOMEM, "out of memory");
    return r < 0 ? r : store_open(&o, &s->store, err);
}

static int import_operators(struct server *s, struct err *err)
{
    struct store_batch *b = store_batch_new();
    int r = auth_import(s, b, err);

    if (r < 0) {
        store_batch_free(b);
        return r;
    }
    return store_commit(s->store, b, err);
}

/* Written once it listens; whoever waits for the file must not find an old one before. The store is
 * open by then: before that it may be the file of another process, which has the store. */
static int forget_port(const struct server *s, struct err *err)
{
    const char *path = s->config.port_file;

    if (path && unlink(path) < 0 && errno != ENOENT)
        return err_errno(err, errno, "remove '%s'", path);
    return 0;
}

static int tell_port(const struct server *s, struct err *err)
{
    char text[16];

    if (!s->config.port_file)
        return 0;
    snprintf(text, sizeof text, "%d\n", http_port(s->http));
    return file_write_durable(s->config.port_file, text, strlen(text), 0644, err);
}

static int start_all(struct server *s, struct err *err)
{
    int r = open_store(s, err);

    if (r == 0)
        r = forget_port(s, err);
    if (r == 0)
        r = master_read(s, err);
    if (r == 0)
        r = master_check(s, err);
    if (r == 0)
        r = audit_open(s, &s->audit, err);
    if (r == 0)
        r = auth_open(s, &s->auth, err);
    if (r == 0)
        r = import_operators(s, err);
    if (r == 0)
        r = repo_open(s, &s->repo, err);
    if (r == 0)
        r = fleet_open(s, &s->fleet, err);
    if (r == 0)
        r = rollouts_open(s, &s->rollouts, err);
    if (r == 0)
        r = intake_at_start(s, err);
    if (r == 0)
        r = controller_start(s, &s->controller, err);
    if (r == 0)
        r = http_start(s, &s->http, err);
    return r < 0 ? r : tell_port(s, err);
}

int server_start(struct server *s, struct metrics *metrics, struct err *err)
{
    int r;

    s->metrics = metrics;
    pthread_mutex_init(&s->site, NULL);
    r = start_all(s, err);
    if (r < 0)
        server_stop(s);
    return r;
}

void server_stop(struct server *s)
{
    http_stop(take_ptr(s->http));
    if (s->store) /* completions of late requests still use what follows, the controller too */
        store_commit(s->store, store_batch_new(), NULL);
    controller_stop(take_ptr(s->controller)); /* waits for its own commits */
    rollouts_free(take_ptr(s->rollouts));
    fleet_free(take_ptr(s->fleet));
    repo_free(take_ptr(s->repo));
    auth_free(take_ptr(s->auth));
    audit_free(take_ptr(s->audit));
    store_close(take_ptr(s->store));
    explicit_bzero(s->master, sizeof s->master);
    pthread_mutex_destroy(&s->site);
}
