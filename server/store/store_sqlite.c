/*
 * store_sqlite: the embedded driver. WAL with synchronous=FULL: a commit that returned is on the
 * disk. One connection writes, one reads beside it. All SQL is made here from store_rows.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "store/store_internal.h"
#include "store/store_sqlite_schema.h"

#define SQL_MAX      4096
#define BUSY_WAIT_MS 5000 /* for another process's backup or sqlite3(1) */

struct sqlite_store {
    char *path;
    int lock_fd; /* "<path>.lock": one process at a time, as memory mirrors the database */
    sqlite3 *writer, *reader;
    sqlite3_stmt *put[STORE_N_NOUNS];
    sqlite3_stmt *remove[STORE_N_NOUNS];
    sqlite3_stmt *begin, *commit, *rollback;
};

/* --- SQL from the tables --------------------------------------------------------------------- */

static void add_names(struct buf *sql, const struct store_table *t, int n, const char *form)
{
    const char *comma = "";

    for (int i = 0; t->columns[i].name && (n < 0 || i < n); i++) {
        buf_adds(sql, comma);
        for (const char *p = form; *p; p++) {
            if (*p == '%')
                buf_adds(sql, t->columns[i].name);
            else
                buf_addc(sql, *p);
        }
        comma = ", ";
    }
}

/* insert, or replace what the key names */
static void put_sql(const struct store_table *t, struct buf *sql)
{
    buf_addf(sql, "INSERT INTO %s (", t->name);
    add_names(sql, t, -1, "\"%\"");
    buf_adds(sql, ") VALUES (");
    add_names(sql, t, -1, "?");
    buf_adds(sql, ")");
    if (t->append_only)
        return;
    buf_adds(sql, " ON CONFLICT (");
    add_names(sql, t, t->n_key, "\"%\"");
    buf_adds(sql, ") DO UPDATE SET ");
    add_names(sql, t, -1, "\"%\"=excluded.\"%\"");
}

static void remove_sql(const struct store_table *t, struct buf *sql)
{
    const char *word = "WHERE";

    buf_addf(sql, "DELETE FROM %s", t->name);
    for (int i = 0; i < t->n_key; i++, word = "AND")
        buf_addf(sql, " %s \"%s\" = ?", word, t->columns[i].name);
}

static void load_sql(const struct store_table *t, const struct store_query *q, struct buf *sql)
{
    buf_adds(sql, "SELECT ");
    add_names(sql, t, -1, "\"%\"");
    buf_addf(sql, " FROM %s", t->name);
    if (q->column)
        buf_addf(sql, " WHERE \"%s\" > ?1", q->column);
    if (q->equal)
        buf_addf(sql, " %s \"%s\" = ?2", q->column ? "AND" : "WHERE", q->equal);
    buf_adds(sql, " ORDER BY ");
    add_names(sql, t, t->n_key, "\"%\"");
    if (q->limit > 0)
        buf_addf(sql, " LIMIT %lld", (long long)q->limit);
}

static int prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, struct err *err)
{
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) != SQLITE_OK)
        return store_sqlite_error(db, err, sql);
    return 0;
}

/* --- writing --------------------------------------------------------------------------------- */

static int bind(sqlite3_stmt *st, int at, const struct store_column *c, const void *row)
{
    const char *p;

    switch (c->type) {
    case COLUMN_TEXT:
        p = column_get_text(c, row);
        return p ? sqlite3_bind_text(st, at, p, -1, SQLITE_STATIC) : sqlite3_bind_null(st, at);
    case COLUMN_BLOB:
        p = column_get_text(c, row);
        return sqlite3_bind_blob64(st, at, p ? p : "", column_get_length(c, row), SQLITE_STATIC);
    case COLUMN_INT:
    case COLUMN_BOOL:
        return sqlite3_bind_int64(st, at, column_get_int(c, row));
    }
    return SQLITE_MISUSE;
}

static int step(struct sqlite_store *s, sqlite3_stmt *st, const char *what, struct err *err)
{
    int r = sqlite3_step(st) == SQLITE_DONE ? 0 : store_sqlite_error(s->writer, err, what);

    sqlite3_reset(st);
    return r;
}

static int write_row(struct sqlite_store *s, const struct store_row *row, struct err *err)
{
    const struct store_table *t = &store_tables[row->noun];
    sqlite3_stmt *st = row->remove ? s->remove[row->noun] : s->put[row->noun];

    for (int i = 0; t->columns[i].name && (!row->remove || i < t->n_key); i++)
        if (bind(st, i + 1, &t->columns[i], row->row) != SQLITE_OK)
            return store_sqlite_error(s->writer, err, t->name);
    return step(s, st, t->name, err);
}

static int sqlite_commit(void *d, const struct store_batch *first, struct err *err)
{
    struct sqlite_store *s = d;
    int r;

    if (!s->writer)
        return err_set(err, ERR_IO, "the database is not open");
    r = step(s, s->begin, "begin", err);
    for (const struct store_batch *b = first; r == 0 && b; b = b->next)
        for (size_t i = 0; r == 0 && i < b->n; i++)
            r = write_row(s, &b->rows[i], err);
    if (r == 0)
        r = step(s, s->commit, "commit", err);
    if (r < 0 && !sqlite3_get_autocommit(s->writer))
        step(s, s->rollback, "rollback", NULL);
    return err_context(err, r, "store"); /* whoever waits may be a device: no path */
}

/* --- reading --------------------------------------------------------------------------------- */

static void fetch(sqlite3_stmt *st, int at, const struct store_column *c, void *row)
{
    switch (c->type) {
    case COLUMN_TEXT:
        *column_text(c, row) = (const char *)sqlite3_column_text(st, at);
        return;
    case COLUMN_BLOB:
        *column_text(c, row) = sqlite3_column_blob(st, at);
        *(size_t *)(void *)((char *)row + c->length) = (size_t)sqlite3_column_bytes(st, at);
        return;
    case COLUMN_INT:
    case COLUMN_BOOL:
        column_set_int(c, row, sqlite3_column_int64(st, at));
        return;
    }
}

static int each_row(sqlite3 *db, sqlite3_stmt *st, const struct store_table *t, store_row_fn visit,
                    void *ctx, struct err *err)
{
    _cleanup_(free_p)
    void *row = calloc(1, t->row_size);
    int got = SQLITE_ROW, r = 0;

    if (!row)
        return err_set(err, ERR_NOMEM, "out of memory");
    while (r == 0 && (got = sqlite3_step(st)) == SQLITE_ROW) {
        for (int i = 0; t->columns[i].name; i++)
            fetch(st, i, &t->columns[i], row);
        r = visit(ctx, row, err);
    }
    if (r == 0 && got != SQLITE_DONE)
        r = store_sqlite_error(db, err, t->name);
    return r;
}

static int sqlite_load(void *d, const struct store_query *q, store_row_fn row, void *ctx,
                       struct err *err)
{
    struct sqlite_store *s = d;
    const struct store_table *t = &store_tables[q->table];
    sqlite3_stmt *st = NULL;
    struct buf sql;
    int r;

    if (!s->reader)
        return err_set(err, ERR_IO, "the database is not open");
    buf_init(&sql, SQL_MAX);
    load_sql(t, q, &sql);
    r = prepare(s->reader, sql.data, &st, err);
    if (r == 0 && q->column)
        sqlite3_bind_int64(st, 1, q->above);
    if (r == 0 && q->equal)
        sqlite3_bind_int64(st, 2, q->to);
    if (r == 0)
        r = each_row(s->reader, st, t, row, ctx, err);
    sqlite3_finalize(st);
    buf_release(&sql);
    return r;
}

/* --- life ------------------------------------------------------------------------------------ */

static void close_connections(struct sqlite_store *s)
{
    for (int i = 0; i < STORE_N_NOUNS; i++) {
        sqlite3_finalize(take_ptr(s->put[i]));
        sqlite3_finalize(take_ptr(s->remove[i]));
    }
    sqlite3_finalize(take_ptr(s->begin));
    sqlite3_finalize(take_ptr(s->commit));
    sqlite3_finalize(take_ptr(s->rollback));
    sqlite3_close(take_ptr(s->reader));
    sqlite3_close(take_ptr(s->writer)); /* last, so that it checkpoints */
}

static int connect_one(const char *path, int flags, const char *pragmas, sqlite3 **ret,
                       struct err *err)
{
    if (sqlite3_open_v2(path, ret, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL) !=
        SQLITE_OK)
        return store_sqlite_error(*ret, err, "open");
    sqlite3_busy_timeout(*ret, BUSY_WAIT_MS);
    if (sqlite3_exec(*ret, pragmas, NULL, NULL, NULL) != SQLITE_OK)
        return store_sqlite_error(*ret, err, "set up");
    return 0;
}

static int prepare_table(struct sqlite_store *s, enum store_noun noun, struct err *err)
{
    struct buf put, remove;
    int r;

    buf_init(&put, SQL_MAX);
    buf_init(&remove, SQL_MAX);
    put_sql(&store_tables[noun], &put);
    remove_sql(&store_tables[noun], &remove);
    r = prepare(s->writer, put.data, &s->put[noun], err);
    if (r == 0)
        r = prepare(s->writer, remove.data, &s->remove[noun], err);
    buf_release(&put);
    buf_release(&remove);
    return r;
}

static int prepare_all(struct sqlite_store *s, struct err *err)
{
    int r = prepare(s->writer, "BEGIN IMMEDIATE", &s->begin, err);

    if (r == 0)
        r = prepare(s->writer, "COMMIT", &s->commit, err);
    if (r == 0)
        r = prepare(s->writer, "ROLLBACK", &s->rollback, err);
    for (int i = 0; r == 0 && i < STORE_N_NOUNS; i++)
        r = prepare_table(s, (enum store_noun)i, err);
    return r;
}

static int open_connections(struct sqlite_store *s, struct err *err)
{
    int r =
        connect_one(s->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536;"
                    "PRAGMA wal_autocheckpoint=4000",
                    &s->writer, err);

    if (r == 0)
        r = store_sqlite_migrate(s->writer, s->path, err);
    if (r == 0)
        r = connect_one(s->path, SQLITE_OPEN_READWRITE, "PRAGMA query_only=ON", &s->reader, err);
    if (r == 0)
        r = prepare_all(s, err);
    if (r < 0)
        close_connections(s);
    return err_context(err, r, "store '%s'", s->path);
}

static void sqlite_close(void *d)
{
    struct sqlite_store *s = d;

    close_connections(s);
    close_p(&s->lock_fd);
    free(s->path);
    free(s);
}

static int take_lock(struct sqlite_store *s, struct err *err)
{
    _cleanup_(free_p)
    char *path = NULL;

    if (asprintf(&path, "%s.lock", s->path) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock_fd < 0)
        return err_errno(err, errno, "open '%s'", path);
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno != EWOULDBLOCK)
        return err_errno(err, errno, "lock '%s'", path);
    err_set(err, ERR_CONFLICT, "another process uses '%s'", s->path);
    return err_remedy(err, "stop the other firebreakd, or give this one a state_dir of its own");
}

static int sqlite_open(const struct store_options *o, void **ret, struct err *err)
{
    struct sqlite_store *s = calloc(1, sizeof *s);
    int r;

    if (!s || !(s->path = strdup(o->path))) {
        free(s);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    s->lock_fd = -1;
    r = take_lock(s, err);
    if (r == 0)
        r = open_connections(s, err);
    if (r < 0) {
        sqlite_close(s);
        return r;
    }
    *ret = s;
    return 0;
}

/* After a failed fsync the pages in memory say nothing about the disk: open anew, so that the log
 * is read back, and write something. */
static int sqlite_recover(void *d, struct err *err)
{
    const struct row_setting probe = {"store.recovered", "1"};
    struct sqlite_store *s = d;
    struct store_batch *b = store_batch_new();
    int r;

    close_connections(s);
    r = open_connections(s, err);
    store_put_setting(b, &probe);
    if (r == 0 && (!b || b->nomem))
        r = err_set(err, ERR_NOMEM, "out of memory");
    if (r == 0)
        r = sqlite_commit(s, b, err);
    store_batch_free(b);
    return r;
}

const struct store_driver store_sqlite = {
    .open = sqlite_open,
    .close = sqlite_close,
    .commit = sqlite_commit,
    .recover = sqlite_recover,
    .load = sqlite_load,
};
