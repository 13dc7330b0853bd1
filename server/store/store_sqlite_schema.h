/* store_sqlite_schema: bringing a database to the newest migration. */
#ifndef FIREBREAK_SERVER_STORE_SQLITE_SCHEMA_H
#define FIREBREAK_SERVER_STORE_SQLITE_SCHEMA_H

#include <sqlite3.h>

#include "base/err.h"

/* schema/sql/NNN_*.sql, embedded at build time (embed.cmake); ends with a row without sql. */
struct migration {
    int number;
    const char *name;
    const char *sql;
};
extern const struct migration migrations[];

/* Each missing migration in a transaction of its own. ERR_REFUSED for a newer database, or one
 * that is not ours. */
int store_sqlite_migrate(sqlite3 *db, const char *path, struct err *err);

/* err from the connection's last failure; FULL for what more disk space would cure. */
int store_sqlite_error(sqlite3 *db, struct err *err, const char *what);

#endif
