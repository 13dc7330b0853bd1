/* intake: see intake.h. */
#include "intake.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "controller.h"
#include "rollouts/rollouts.h"
#include "store/store.h"

/* Memory may be ahead of the store: it is read again before anything else is accepted. */
static void degrade(struct server *s)
{
    atomic_store(&s->degraded, true);
    if (s->controller)
        controller_wake(s->controller);
}

/* Takes batch and change. What follows from the metadata goes into the same batch. */
static int follow_and_commit(struct server *s, struct store_batch *b, struct repo_change *change,
                             const char *by, struct err *err)
{
    int r = rollouts_follow(s, err);

    if (r == 0)
        r = rollouts_obey_revocations(s, by, b, &change, err);
    if (r == 0)
        r = store_commit(s->store, b, err);
    else
        store_batch_free(b);
    if (r < 0) {
        repo_discard(s->repo, change);
        degrade(s);
        return r;
    }
    repo_publish(s->repo, change);
    if (s->controller)
        controller_wake(s->controller); /* a channel's first plan */
    return 0;
}

int intake_take(struct server *s, struct repo_upload *files, size_t n, const char *by,
                struct err *err)
{
    struct store_batch *b = store_batch_new();
    struct repo_change *change = NULL;
    int r = b ? repo_stage_intake(s, files, n, by, b, &change, err)
              : err_set(err, ERR_NOMEM, "out of memory");

    if (r < 0 || !change) {
        store_batch_free(b);
        return r;
    }
    r = follow_and_commit(s, b, change, by, err);
    for (size_t i = 0; r == 0 && i < n; i++)
        if (files[i].taken)
            log_info("repository", "%s version %lld was taken in from %s", files[i].role,
                     (long long)files[i].version, by);
    return r;
}

int intake_at_start(struct server *s, struct err *err)
{
    _cleanup_(repo_files_free_p)
    struct repo_files *f = NULL;
    struct repo_upload *uploads;
    size_t n;
    int r = repo_bootstrap_newer(s, &f, err);

    if (r < 0)
        return r;
    uploads = repo_files_uploads(f, &n);
    if (n > 0)
        r = err_context(err, intake_take(s, uploads, n, "server", err),
                        "newer metadata in bootstrap_dir");
    return r < 0 ? r : repo_check_keys(s, err);
}
