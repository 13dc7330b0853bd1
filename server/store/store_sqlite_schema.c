/* store_sqlite_schema: numbered, append-only migrations. See store_sqlite_schema.h. */
#include "store/store_sqlite_schema.h"

#include <stdint.h>
#include <stdio.h>

#define APPLICATION_ID 0x46697265 /* "Fire": file(1) and we know the file by it */

int store_sqlite_error(sqlite3 *db, struct err *err, const char *what)
{
    enum err_code code = ERR_IO;

    switch (sqlite3_errcode(db) & 0xff) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
        code = ERR_FULL;
        break;
    case SQLITE_NOMEM:
        code = ERR_NOMEM;
        break;
    case SQLITE_CONSTRAINT:
        code = ERR_CONFLICT;
        break;
    default:
        break;
    }
    return err_set(err, code, "%s: %s", what, sqlite3_errmsg(db));
}

static int get_int(sqlite3 *db, const char *pragma, int64_t *ret, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int r = 0;

    if (sqlite3_prepare_v2(db, pragma, -1, &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW)
        *ret = sqlite3_column_int64(st, 0);
    else
        r = store_sqlite_error(db, err, pragma);
    sqlite3_finalize(st);
    return r;
}

static int exec(sqlite3 *db, const char *sql, const char *what, struct err *err)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
                                                                : store_sqlite_error(db, err, what);
}

static int apply(sqlite3 *db, const struct migration *m, struct err *err)
{
    char mark[96];
    int r = exec(db, "BEGIN IMMEDIATE", m->name, err);

    if (r < 0)
        return r;
    snprintf(mark, sizeof mark, "PRAGMA user_version=%d; PRAGMA application_id=%d", m->number,
             APPLICATION_ID);
    r = exec(db, m->sql, m->name, err);
    if (r == 0)
        r = exec(db, mark, m->name, err);
    if (r == 0)
        r = exec(db, "COMMIT", m->name, err);
    if (r < 0)
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

static int newest(void)
{
    int n = 0;

    for (const struct migration *m = migrations; m->sql; m++)
        n = m->number;
    return n;
}

int store_sqlite_migrate(sqlite3 *db, const char *path, struct err *err)
{
    int64_t version = 0, app = 0, tables = 0;
    int r = get_int(db, "PRAGMA user_version", &version, err);

    if (r == 0)
        r = get_int(db, "PRAGMA application_id", &app, err);
    if (r == 0)
        r = get_int(db, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (r < 0)
        return r;
    if (tables > 0 && app != APPLICATION_ID) {
        err_set(err, ERR_REFUSED, "'%s' is the database of another program", path);
        return err_remedy(err, "give firebreakd a state_dir of its own");
    }
    if (version > newest()) {
        err_set(err, ERR_REFUSED,
                "'%s' was written by a newer firebreakd (schema %lld, this one knows %d)", path,
                (long long)version, newest());
        return err_remedy(err, "run the newer firebreakd, or restore the backup made before it");
    }
    for (const struct migration *m = migrations; r == 0 && m->sql; m++)
        if (m->number > version)
            r = apply(db, m, err);
    return r;
}
