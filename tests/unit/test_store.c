/* store: rows come back as they went in, in order, durably, together or not at all. */
#include "cmocka_all.h"

#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "store/store.h"
#include "store/store_rows.h"

struct place {
    char dir[64];
    char path[96];
    struct store *store;
};

static void open_store(struct place *p, int64_t delay_ms, size_t max_rows)
{
    const struct store_options o = {p->path, delay_ms, max_rows};
    struct err err = {0};

    if (store_open(&o, &p->store, &err) < 0)
        fail_msg("%s", err.msg);
}

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    strcpy(p->dir, "/tmp/fb-store-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof p->path, "%s/firebreak.db", p->dir);
    open_store(p, 0, 0);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;

    store_close(p->store);
    file_remove_tree(p->dir, NULL);
    free(p);
    return 0;
}

static void commit(struct store *s, struct store_batch *b)
{
    struct err err = {0};

    if (store_commit(s, b, &err) < 0)
        fail_msg("%s", err.msg);
}

/* --- every type of row ----------------------------------------------------------------------- */

/* A row of any type, filled by its table: each column another value, made from a seed. */
struct any {
    _Alignas(16) char row[256];
    char texts[STORE_MAX_COLUMNS][32];
};

static void fill(enum store_noun noun, int seed, bool nulls, struct any *a)
{
    const struct store_table *t = &store_tables[noun];

    assert_true(t->row_size <= sizeof a->row);
    memset(a, 0, sizeof *a);
    for (int i = 0; t->columns[i].name; i++) {
        const struct store_column *c = &t->columns[i];

        snprintf(a->texts[i], sizeof a->texts[i], "%d-%d\xc3\xa9", seed, i);
        if (c->type == COLUMN_INT)
            column_set_int(c, a->row, seed * INT64_C(100000000000) + i);
        else if (c->type == COLUMN_BOOL)
            column_set_int(c, a->row, (seed + i) & 1);
        else
            *column_text(c, a->row) = nulls ? NULL : a->texts[i];
        if (c->type == COLUMN_BLOB)
            *(size_t *)(void *)(a->row + c->length) = sizeof a->texts[i]; /* NULs in it */
    }
}

static void assert_row(enum store_noun noun, const void *row, const struct any *a)
{
    const struct store_table *t = &store_tables[noun];

    for (int i = 0; t->columns[i].name; i++) {
        const struct store_column *c = &t->columns[i];

        if (c->type == COLUMN_TEXT) {
            assert_string_equal(column_get_text(c, row), column_get_text(c, a->row));
        } else if (c->type == COLUMN_BLOB) {
            assert_int_equal(column_get_length(c, row), column_get_length(c, a->row));
            assert_memory_equal(column_get_text(c, row), column_get_text(c, a->row),
                                column_get_length(c, row));
        } else {
            assert_int_equal(column_get_int(c, row), column_get_int(c, a->row));
        }
    }
}

static int n_seen(const int *seen)
{
    int n = 0;

    for (int i = 0; i < STORE_N_NOUNS; i++)
        n += seen[i];
    return n;
}

#define X(noun)                                                                                    \
    static int see_##noun(void *ctx, const struct row_##noun *row, struct err *err)                \
    {                                                                                              \
        int *seen = ctx;                                                                           \
        struct any a;                                                                              \
                                                                                                   \
        (void)err;                                                                                 \
        fill(STORE_##noun, 1 + seen[STORE_##noun]++, false, &a);                                   \
        assert_row(STORE_##noun, row, &a);                                                         \
        return 0;                                                                                  \
    }
STORE_ROWS(X)
#undef X

static const struct store_visitor see_all = {
#define X(noun) .noun = see_##noun,
    STORE_ROWS(X)
#undef X
};

static void put_all(struct store_batch *b, int seed)
{
    struct any a;

#define X(noun)                                                                                    \
    fill(STORE_##noun, seed, false, &a);                                                           \
    store_put_##noun(b, (const void *)a.row);
    STORE_ROWS(X)
#undef X
}

static void test_round_trip(void **state)
{
    struct place *p = *state;
    struct store_batch *b = store_batch_new();
    int seen[STORE_N_NOUNS] = {0};
    struct err err = {0};

    put_all(b, 2); /* against the key order */
    put_all(b, 1);
    commit(p->store, b);
    store_close(p->store);
    open_store(p, 0, 0);
    assert_int_equal(store_load(p->store, &see_all, seen, &err), 0);
    assert_int_equal(n_seen(seen), 2 * STORE_N_NOUNS);
}

static int see_device_nulls(void *ctx, const struct row_device *row, struct err *err)
{
    (void)err;
    assert_string_equal(row->id, "d");
    assert_null(row->token_id);
    assert_null(row->label);
    assert_int_equal(row->generation, 7);
    ++*(int *)ctx;
    return 0;
}

static void test_null_and_replace(void **state)
{
    struct place *p = *state;
    const struct store_visitor v = {.device = see_device_nulls};
    struct row_device row = {.id = "d", .grp = "g", .token_id = "t", .label = "l"};
    struct store_batch *b = store_batch_new();
    struct err err = {0};
    int n = 0;

    store_put_device(b, &row);
    row.token_id = row.label = NULL;
    row.generation = 7;
    store_put_device(b, &row);
    commit(p->store, b);
    assert_int_equal(store_load(p->store, &v, &n, &err), 0);
    assert_int_equal(n, 1);
}

static int see_name(void *ctx, const struct row_metadata *row, struct err *err)
{
    (void)err;
    strcat(ctx, row->name);
    return 0;
}

static void test_delete_metadata(void **state)
{
    struct place *p = *state;
    const struct store_visitor v = {.metadata = see_name};
    struct row_metadata row = {.data = "x", .len = 1};
    struct store_batch *b = store_batch_new();
    char names[64] = "";
    struct err err = {0};

    for (row.name = "abcd"; row.name[0]; row.name++)
        store_put_metadata(b, &row); /* "abcd", "bcd", "cd", "d" */
    store_delete_metadata(b, "bcd");
    store_delete_metadata(b, "never there");
    commit(p->store, b);
    b = store_batch_new();
    store_delete_metadata(b, "cd");
    row.name = "cd"; /* and there again: a batch's order counts */
    store_put_metadata(b, &row);
    store_delete_metadata(b, "d");
    commit(p->store, b);
    assert_int_equal(store_load(p->store, &v, names, &err), 0);
    assert_string_equal(names, "abcdcd");
}

/* --- order and grouping ---------------------------------------------------------------------- */

#define N_ORDERED 500

struct order {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int next, failed;
    bool in_order;
};

struct ticket {
    struct order *o;
    int n;
};

static void told(void *ctx, int r, const struct err *err)
{
    struct ticket *t = ctx;

    (void)err;
    pthread_mutex_lock(&t->o->lock);
    t->o->in_order = t->o->in_order && t->o->next == t->n;
    t->o->next++;
    t->o->failed += r < 0;
    pthread_cond_signal(&t->o->cond);
    pthread_mutex_unlock(&t->o->lock);
}

static void wait_told(struct order *o, int n)
{
    pthread_mutex_lock(&o->lock);
    while (o->next < n)
        pthread_cond_wait(&o->cond, &o->lock);
    pthread_mutex_unlock(&o->lock);
}

static void submit_ticks(struct store *s, struct ticket *tickets, struct order *o, int n)
{
    for (int i = 0; i < n; i++) {
        struct store_batch *b = store_batch_new();
        const struct row_tick row = {.rollout = 1, .tick = i, .facts = "{}", .decision = "{}"};

        tickets[i] = (struct ticket){o, i};
        store_put_tick(b, &row);
        store_submit(s, b, told, &tickets[i]);
    }
}

static void test_group_commit_in_order(void **state)
{
    struct place *p = *state;
    struct ticket tickets[N_ORDERED];
    struct order o = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, true};
    struct store_stats st;

    store_close(p->store);
    open_store(p, 20, 100);
    submit_ticks(p->store, tickets, &o, N_ORDERED);
    wait_told(&o, N_ORDERED);
    assert_true(o.in_order);
    assert_int_equal(o.failed, 0);
    store_get_stats(p->store, &st);
    assert_int_equal(st.batches, N_ORDERED);
    assert_int_equal(st.rows, N_ORDERED);
    assert_true(st.commits >= N_ORDERED / 100); /* the cap on rows holds */
    assert_true(st.commits < N_ORDERED / 2);    /* and they are grouped */
}

static void test_close_commits_what_waits(void **state)
{
    struct place *p = *state;
    struct ticket tickets[10];
    struct order o = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, true};

    store_close(p->store);
    open_store(p, 60000, 1000); /* would wait a minute for company */
    submit_ticks(p->store, tickets, &o, 10);
    store_close(p->store);
    assert_int_equal(o.next, 10);
    assert_int_equal(o.failed, 0);
    open_store(p, 0, 0);
}

static int count_audit(void *ctx, const struct row_audit *row, struct err *err)
{
    int64_t *last = ctx;

    (void)err;
    assert_int_equal(row->seq, *last + 1);
    *last = row->seq;
    return 0;
}

static void test_questions(void **state)
{
    struct place *p = *state;
    struct store_batch *b = store_batch_new();
    struct err err = {0};
    int64_t last = 3;

    for (int i = 1; i <= 9; i++) {
        const struct row_audit a = {i, 0, "a", "b", "c", NULL, "p", "h"};

        store_put_audit(b, &a);
    }
    commit(p->store, b);
    assert_int_equal(store_audit_after(p->store, 3, 4, count_audit, &last, &err), 0);
    assert_int_equal(last, 7);
}

static int next_tick_of_2(void *ctx, const struct row_tick *row, struct err *err)
{
    int64_t *last = ctx;

    (void)err;
    assert_int_equal(row->rollout, 2);
    assert_int_equal(row->tick, *last + 1);
    *last = row->tick;
    return 0;
}

static void test_ticks_of_one_rollout(void **state)
{
    struct place *p = *state;
    struct store_batch *b = store_batch_new();
    struct err err = {0};
    int64_t last = -1;

    for (int i = 0; i < 30; i++) {
        const struct row_tick t = {1 + i % 3, i / 3, 0, "{}", "{}"};

        store_put_tick(b, &t);
    }
    commit(p->store, b);
    assert_int_equal(store_ticks_after(p->store, 2, -1, 4, next_tick_of_2, &last, &err), 0);
    assert_int_equal(last, 3);
    assert_int_equal(store_ticks_after(p->store, 2, 3, 100, next_tick_of_2, &last, &err), 0);
    assert_int_equal(last, 9);
    assert_int_equal(store_ticks_after(p->store, 2, 9, 100, next_tick_of_2, &last, &err), 0);
    assert_int_equal(store_ticks_after(p->store, 7, -1, 100, next_tick_of_2, &last, &err), 0);
    assert_int_equal(last, 9);
}

/* --- failure --------------------------------------------------------------------------------- */

/* The disk is full: files cannot grow past what they are. */
static void limit_files(rlim_t bytes)
{
    struct rlimit l;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &l);
    l.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static int count_tick(void *ctx, const struct row_tick *row, struct err *err)
{
    (void)row;
    (void)err;
    ++*(int *)ctx;
    return 0;
}

static int count_ticks(struct store *s)
{
    const struct store_visitor v = {.tick = count_tick};
    struct err err = {0};
    int n = 0;

    assert_int_equal(store_load(s, &v, &n, &err), 0);
    return n;
}

static void test_full_disk(void **state)
{
    struct place *p = *state;
    struct ticket tickets[20];
    struct order o = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, true};
    struct store_batch *b = store_batch_new();
    const struct row_tick row = {.rollout = 2, .facts = "{}", .decision = "{}"};
    struct store_stats st;
    struct err err = {0};

    limit_files(4096);
    submit_ticks(p->store, tickets, &o, 20);
    wait_told(&o, 20);
    assert_int_equal(o.failed, 20);
    assert_true(o.in_order);
    assert_true(store_failed(p->store));
    assert_true(store_recover(p->store, &err) < 0);
    limit_files(RLIM_INFINITY);
    store_put_tick(b, &row);
    assert_int_equal(store_commit(p->store, b, &err), -ERR_FULL); /* until it is recovered */
    assert_int_equal(store_recover(p->store, &err), 0);
    assert_false(store_failed(p->store));
    assert_int_equal(count_ticks(p->store), 0);
    b = store_batch_new();
    store_put_tick(b, &row);
    commit(p->store, b);
    assert_int_equal(count_ticks(p->store), 1);
    store_get_stats(p->store, &st);
    assert_int_equal(st.failures, 1);
}

static void test_a_batch_is_whole(void **state)
{
    struct place *p = *state;
    struct store_batch *b = store_batch_new();
    const struct row_tick tick = {.rollout = 2, .facts = "{}", .decision = "{}"};
    const struct row_audit row = {1, 0, "a", "b", "c", NULL, "p", "h"};
    struct err err = {0};

    store_put_tick(b, &tick);
    store_put_audit(b, &row);
    store_put_audit(b, &row); /* append only: the second of a number is refused */
    assert_int_equal(store_commit(p->store, b, &err), -ERR_CONFLICT);
    assert_int_equal(count_ticks(p->store), 0);
    assert_int_equal(store_recover(p->store, &err), 0);
    assert_int_equal(count_ticks(p->store), 0);
}

static void test_one_process_at_a_time(void **state)
{
    struct place *p = *state;
    const struct store_options o = {p->path, 0, 0};
    struct store *s = NULL;
    struct err err = {0};

    assert_int_equal(store_open(&o, &s, &err), -ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "another process"));
    assert_null(s);
}

static void change(const char *path, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void test_refuses_newer_and_foreign(void **state)
{
    struct place *p = *state;
    const struct store_options o = {p->path, 0, 0};
    struct store *s = NULL;
    struct err err = {0};

    store_close(p->store);
    p->store = NULL;
    change(p->path, "PRAGMA user_version=9999");
    assert_int_equal(store_open(&o, &s, &err), -ERR_REFUSED);
    assert_non_null(strstr(err.msg, "newer firebreakd"));
    change(p->path, "PRAGMA user_version=1; PRAGMA application_id=7");
    assert_int_equal(store_open(&o, &s, &err), -ERR_REFUSED);
    assert_non_null(strstr(err.msg, "another program"));
    assert_null(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_null_and_replace, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_delete_metadata, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_group_commit_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_close_commits_what_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_questions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ticks_of_one_rollout, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_batch_is_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_process_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refuses_newer_and_foreign, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
