/* spool: see spool.h. */
#include "state/spool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/jsonx.h"
#include "field.h"
#include "layout.h"

#define EVENT_FILE_MAX 32768
#define SEQ_DIGITS     12
#define NAME_LEN       (SEQ_DIGITS + 1 + EVENT_ID_LEN + 5) /* "<seq>-<id>.json" */

struct names {
    char name[SPOOL_MAX + 32][NAME_LEN + 1];
    size_t n;
};

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool is_name(const char *s)
{
    return strlen(s) == NAME_LEN && strspn(s, "0123456789") == SEQ_DIGITS && s[SEQ_DIGITS] == '-' &&
           strspn(s + SEQ_DIGITS + 1, "0123456789abcdef") == EVENT_ID_LEN &&
           strcmp(s + NAME_LEN - 5, ".json") == 0;
}

/* Names in order of sequence. */
static void list(const char *state_dir, struct names *ret)
{
    struct path p;
    _cleanup_(closedir_p)
    DIR *d = opendir(layout_at(&p, state_dir, LAYOUT_SPOOL));
    struct dirent *e;

    ret->n = 0;
    while (d && (e = readdir(d)) && ret->n < sizeof ret->name / sizeof ret->name[0])
        if (is_name(e->d_name))
            memcpy(ret->name[ret->n++], e->d_name, NAME_LEN + 1);
    qsort(ret->name, ret->n, sizeof ret->name[0], compare);
}

static int read_event(const char *state_dir, const char *name, struct event *ret, struct err *err)
{
    json_auto_t *o = NULL;
    struct path p;
    struct buf b;
    int r;

    buf_init(&b, EVENT_FILE_MAX);
    r = file_read(layout_at(&p, state_dir, LAYOUT_SPOOL "/%s", name), &b, err);
    if (r == 0)
        r = jsonx_parse(b.data, b.len, EVENT_FILE_MAX, &o, err);
    if (r == 0)
        r = event_from_json(o, ret, err);
    buf_release(&b);
    return r;
}

static int drop(const char *state_dir, const char *name, struct err *err)
{
    struct path p;

    if (unlink(layout_at(&p, state_dir, LAYOUT_SPOOL "/%s", name)) < 0 && errno != ENOENT)
        return err_errno(err, errno, "remove '%s'", p.s);
    return 0;
}

static bool is_crash(const char *state_dir, const char *name)
{
    struct event e = {0};
    bool crash = read_event(state_dir, name, &e, NULL) == 0 && e.kind == EVENT_CRASH;

    event_release(&e);
    return crash;
}

static int make_room(const char *state_dir, const struct names *names, struct err *err)
{
    if (names->n < SPOOL_MAX)
        return 0;
    for (size_t i = 0; i < names->n; i++)
        if (!is_crash(state_dir, names->name[i]))
            return drop(state_dir, names->name[i], err);
    return drop(state_dir, names->name[0], err);
}

static int write_event(const char *state_dir, long long seq, const struct event *e, struct err *err)
{
    json_auto_t *o = event_to_json(e);
    struct path p;
    struct buf b;
    int r;

    if (!o)
        return err_set(err, ERR_INTERNAL, "an event of kind '%s' cannot be written",
                       event_name(e->kind));
    buf_init(&b, EVENT_FILE_MAX);
    r = field_dump(o, JSON_COMPACT | JSON_SORT_KEYS, "event", &b, err);
    layout_at(&p, state_dir, LAYOUT_SPOOL "/%0*lld-%s.json", SEQ_DIGITS, seq, e->id);
    if (r == 0)
        r = file_write_durable(p.s, b.data, b.len, 0600, err);
    buf_release(&b);
    return r;
}

int spool_add(const char *state_dir, struct event *e, struct err *err)
{
    _cleanup_(free_p)
    struct names *names = malloc(sizeof *names);
    _cleanup_(close_p)
    int lock = -1;
    struct path p;
    int r;

    if (!names)
        return err_set(err, ERR_NOMEM, "out of memory while keeping an event");
    r = file_mkdir_p(layout_at(&p, state_dir, LAYOUT_SPOOL), 0700, err);
    if (r < 0)
        return r;
    lock = state_lock(state_dir, err);
    if (lock < 0)
        return lock;
    rand_hex(e->id, EVENT_ID_LEN / 2);
    list(state_dir, names);
    r = make_room(state_dir, names, err);
    if (r == 0)
        r = write_event(state_dir, names->n ? atoll(names->name[names->n - 1]) + 1 : 1, e, err);
    return err_context(err, r, "keep a %s event", event_name(e->kind));
}

int spool_read(const char *state_dir, struct event *ret, size_t max, size_t *ret_n, struct err *err)
{
    _cleanup_(free_p)
    struct names *names = malloc(sizeof *names);

    if (!names)
        return err_set(err, ERR_NOMEM, "out of memory while reading events");
    list(state_dir, names);
    *ret_n = 0;
    for (size_t i = 0; i < names->n && *ret_n < max; i++) {
        struct event e = {0};
        int r = read_event(state_dir, names->name[i], &e, NULL);

        if (r == 0) {
            ret[(*ret_n)++] = e;
            continue;
        }
        /* What is no event goes, if it can; what only could not be read just now is evidence, and
         * stays. Neither is in the way of the others. */
        if (r == -ERR_INVALID || r == -ERR_TOO_LARGE)
            drop(state_dir, names->name[i], NULL);
    }
    return 0;
}

int spool_remove(const char *state_dir, const char *id, struct err *err)
{
    _cleanup_(free_p)
    struct names *names = malloc(sizeof *names);

    if (!names)
        return err_set(err, ERR_NOMEM, "out of memory while removing an event");
    list(state_dir, names);
    for (size_t i = 0; i < names->n; i++)
        if (memcmp(names->name[i] + SEQ_DIGITS + 1, id, EVENT_ID_LEN) == 0)
            return drop(state_dir, names->name[i], err);
    return 0;
}

size_t spool_count(const char *state_dir)
{
    _cleanup_(free_p)
    struct names *names = malloc(sizeof *names);

    if (!names)
        return 0;
    list(state_dir, names);
    return names->n;
}
