/* audit: read the server's log of what people and the gate did, and check its hash chain. */
#include <string.h>

#include "api.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/jsonx.h"
#include "audit/audit_chain.h"
#include "status.h"
#include "table.h"
#include "verbs.h"

#define PAGE_ENTRIES  500
#define LIST_DEFAULT  50
#define LIST_MAX      100000
#define DETAIL_SHOWN  100
#define SUBJECT_SHOWN 32

static int get_page(struct api *api, int64_t after, int64_t limit, json_t **ret, json_t **ret_list,
                    struct err *err)
{
    char path[128];
    const struct api_call call = {"GET", path, NULL, "read audit log"};
    int r;

    snprintf(path, sizeof path, "/api/v1/audit?after=%lld&limit=%lld", (long long)after,
             (long long)limit);
    r = api_json(api, &call, ret, NULL, err);
    return r == 0 ? jsonx_array(*ret, call.what, "entries", LIST_MAX, ret_list, err) : r;
}

/* All pages in order; visit may stop with a negative code. */
static int each_entry(struct api *api,
                      int (*visit)(void *ctx, const json_t *entry, struct err *err), void *ctx,
                      struct err *err)
{
    int64_t after = 0;

    for (;;) {
        json_auto_t *page = NULL;
        json_t *list, *entry;
        size_t i;
        int r = get_page(api, after, PAGE_ENTRIES, &page, &list, err);

        if (r < 0 || json_array_size(list) == 0)
            return r;
        json_array_foreach (list, i, entry) {
            int64_t seq;

            r = jsonx_int(entry, "audit entry", "seq", after + 1, INT64_MAX, &seq, err);
            if (r == 0)
                r = visit(ctx, entry, err);
            if (r < 0)
                return r;
            after = seq;
        }
    }
}

/* The last `limit` entries, oldest first. */
struct tail {
    json_t *list;
    size_t limit;
};

static int keep_tail(void *ctx, const json_t *entry, struct err *err)
{
    struct tail *t = ctx;

    if (json_array_append(t->list, (json_t *)entry) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (json_array_size(t->list) > t->limit)
        json_array_remove(t->list, 0);
    return 0;
}

/* "policy=demo reason=...": digests as short as everywhere else. */
static char *members_shown(const json_t *o)
{
    const char *key;
    const json_t *value;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return NULL;
    json_object_foreach ((json_t *)o, key, value) {
        _cleanup_(free_p)
        char *other = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY);
        const char *shown = json_is_string(value) ? json_string_value(value) : other;
        bool digest = shown && json_is_string(value) && strlen(shown) == 64 &&
                      strspn(shown, "0123456789abcdef") == 64;

        fprintf(out, "%s%s=%.*s", ftell(out) > 0 ? " " : "", key, digest ? 12 : DETAIL_SHOWN,
                shown ? shown : "");
    }
    fclose(out);
    return text;
}

/* The detail for people: its reason in words where it has one, else its members, cut. All of it is
 * in --json. */
static char *detail_shown(const json_t *detail)
{
    const char *text = json_string_value(detail);
    json_auto_t *o = text ? json_loads(text, 0, NULL) : json_incref((json_t *)detail);
    const json_t *words = json_object_get(json_array_get(json_object_get(o, "reasons"), 0), "text");
    char *shown, *more = NULL;

    if (!words)
        words = json_object_get(o, "stands");
    if (json_is_string(words))
        return strdup(json_string_value(words));
    if (!json_is_object(o))
        return strdup(text ? text : "");
    shown = members_shown(o);
    if (shown && strlen(shown) > DETAIL_SHOWN &&
        asprintf(&more, "%.*s...", DETAIL_SHOWN, shown) > 0) {
        free(shown);
        return more;
    }
    return shown;
}

static void print_entries(const json_t *list)
{
    static const struct table_column columns[] = {
        {"SEQ", true},     {"WHEN", false},    {"WHO", false},
        {"ACTION", false}, {"SUBJECT", false}, {"DETAIL", false},
    };
    struct table t;
    size_t i;
    json_t *o;

    table_init(&t, columns, sizeof columns / sizeof columns[0]);
    json_array_foreach (list, i, o) {
        _cleanup_(free_p)
        char *detail = detail_shown(json_object_get(o, "detail"));
        char when[21], subject[SUBJECT_SHOWN + 1];

        clock_format_utc(json_integer_value(json_object_get(o, "at_ms")) / 1000, when);
        snprintf(subject, sizeof subject, "%s", status_text(o, "subject"));
        table_number(&t, json_integer_value(json_object_get(o, "seq")));
        table_text(&t, when);
        table_text(&t, status_text(o, "actor"));
        table_text(&t, status_text(o, "action"));
        table_text(&t, subject);
        table_text(&t, detail);
    }
    table_print(&t, 0, stdout);
    table_release(&t);
}

int audit_list_run(struct cli *cli, struct err *err)
{
    _cleanup_(api_free_p)
    struct api *api = NULL;
    json_auto_t *result = json_pack("{s:[]}", "entries");
    struct tail tail = {.list = json_object_get(result, "entries")};
    int64_t limit;
    int r = cli_get_int(cli, "limit", 1, LIST_MAX, LIST_DEFAULT, &limit, err);

    tail.limit = (size_t)limit;
    if (r == 0)
        r = api_open(cli, &api, err);
    if (r == 0)
        r = each_entry(api, keep_tail, &tail, err);
    if (r == 0 && !cli_result(cli, result))
        print_entries(tail.list);
    return r;
}

static int visit_chain(void *ctx, const json_t *entry, struct err *err)
{
    return audit_chain_add(ctx, entry, err);
}

int audit_verify_run(struct cli *cli, struct err *err)
{
    _cleanup_(api_free_p)
    struct api *api = NULL;
    json_auto_t *result = NULL;
    struct audit_chain chain;
    int r = api_open(cli, &api, err);

    audit_chain_init(&chain);
    if (r == 0)
        r = each_entry(api, visit_chain, &chain, err);
    if (r < 0)
        return r;
    result = json_pack("{s:I, s:s}", "entries", (json_int_t)chain.seq, "head", chain.head);
    if (!cli_result(cli, result))
        printf("%lld entries, chain unbroken\nhead %s\n", (long long)chain.seq, chain.head);
    return 0;
}
