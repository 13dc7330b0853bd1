/*
 * fetch_source: where the fetching child gets files of the repository from: the server first, then
 * the mirrors, which are static hosts with the repository's layout. Nothing depends on their
 * honesty, only on their time, and that is bounded here: a source that cannot be reached, times out
 * or has used up its time is not asked again in this run; and a mirror that let time pass is then
 * left alone for ten times as long, so that check-ins do not wait for it again and again. Of the
 * child only.
 */
#ifndef FIREBREAK_CLIENT_FETCH_SOURCE_H
#define FIREBREAK_CLIENT_FETCH_SOURCE_H

#include "base/buf.h"
#include "config.h"
#include "fetch/fetch.h"

/* Together with one request of each kind that is under way they end before EXCHANGE_REFRESH_MS. */
#define FETCH_SERVER_MS         60000 /* the server, in a refresh */
#define FETCH_MIRROR_MS         20000 /* each mirror */
#define FETCH_MIRRORS_MS        50000 /* all of them */
#define FETCH_MIRROR_REQUEST_MS 10000

struct fetch_sources;

/* Server and mirrors as the job names them; the server is source 0. */
int fetch_sources_open(const json_t *job, struct fetch_sources **ret, struct err *err);
void fetch_sources_free(struct fetch_sources *s);
DEFINE_CLEANUP(struct fetch_sources *, fetch_sources_free)

size_t fetch_n_sources(const struct fetch_sources *s);
struct http_client *fetch_server(struct fetch_sources *s);

/* No more of this source in this run. */
void fetch_give_up(struct fetch_sources *s, size_t i);

/* GET a file of the repository. ret is appended to and carries the cap. ERR_NOT_FOUND; ERR_TIMEOUT
 * or ERR_UNREACHABLE also without asking, where this source has had its time. etag: "" or what the
 * caller has already; then ERR_EXISTS says that it is still the same, and otherwise etag is what
 * came ("" none). NULL: ask without. */
#define FETCH_ETAG_MAX 128
int fetch_from(struct fetch_sources *s, size_t i, const char *path, char etag[FETCH_ETAG_MAX],
               struct buf *ret, struct err *err);

/* The same into a file, after what is there of it. */
int fetch_from_file(struct fetch_sources *s, size_t i, const char *path, int fd, int64_t length,
                    struct err *err);

#endif
