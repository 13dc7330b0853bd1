/*
 * auth: see auth.h. Both tables are in memory; every change also puts a row into the caller's
 * batch. Tokens are 32 random bytes in base64url behind a prefix, kept as SHA-256: their entropy
 * makes a slow hash needless.
 */
#include "auth.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/jsonx.h"
#include "server.h"
#include "store/store.h"
#include "text.h"

#define TOKEN_BYTES      32
#define TOKEN_CHARS      43 /* of base64url without padding */
#define MAX_OPERATORS    4096
#define MAX_ENROLMENTS   100000
#define OPERATORS_MAX    1000000 /* bytes of operators.json */
#define ENROLMENT_ID_LEN 16

struct operator_entry {
    struct operator_ref ref;
    uint8_t hash[SHA256_LEN];
    int64_t created_ms;
    bool revoked;
};

struct enrolment_entry {
    char id[ENROLMENT_ID_LEN + 1];
    char group[GROUP_NAME_MAX];
    uint8_t hash[SHA256_LEN];
    int64_t uses_left, created_ms;
};

struct auth {
    pthread_rwlock_t lock;
    struct operator_entry *operators;
    size_t n_operators;
    struct enrolment_entry *enrolments;
    size_t n_enrolments;
};

static const char *const role_names[] = {
#define X(name, text) [ROLE_##name] = text,
    ROLES(X)
#undef X
};

const char *role_name(enum role r)
{
    return role_names[r];
}

int role_from(const char *text, enum role *ret)
{
    for (size_t i = 0; i < sizeof role_names / sizeof role_names[0]; i++) {
        if (strcmp(role_names[i], text) == 0) {
            *ret = (enum role)i;
            return 0;
        }
    }
    return -ERR_INVALID;
}

/* --- tables ---------------------------------------------------------------------------------- */

/* Room for one more in an array that grows by doubling at powers of two. */
static int grow(void *array, size_t n, size_t size, size_t max, struct err *err)
{
    void **a = array, *p;

    if (n >= max)
        return err_set(err, ERR_TOO_LARGE, "there are %zu already", n);
    if (n && (n & (n - 1)))
        return 0;
    p = realloc(*a, (n ? n * 2 : 1) * size);
    if (!p)
        return err_set(err, ERR_NOMEM, "out of memory");
    *a = p;
    return 0;
}

static int add_operator(struct auth *a, const struct operator_entry *e, struct err *err)
{
    int r = grow(&a->operators, a->n_operators, sizeof *e, MAX_OPERATORS, err);

    if (r == 0)
        a->operators[a->n_operators++] = *e;
    return err_context(err, r, "operators");
}

static int add_enrolment(struct auth *a, const struct enrolment_entry *e, struct err *err)
{
    int r = grow(&a->enrolments, a->n_enrolments, sizeof *e, MAX_ENROLMENTS, err);

    if (r == 0)
        a->enrolments[a->n_enrolments++] = *e;
    return err_context(err, r, "enrolment tokens");
}

static struct operator_entry *find_operator(struct auth *a, const char *name)
{
    for (size_t i = 0; i < a->n_operators; i++)
        if (strcmp(a->operators[i].ref.name, name) == 0)
            return &a->operators[i];
    return NULL;
}

static int load_operator(void *ctx, const struct row_operator *row, struct err *err)
{
    struct operator_entry e = {.created_ms = row->created_ms, .revoked = row->revoked};

    snprintf(e.ref.name, sizeof e.ref.name, "%s", row->name);
    if (role_from(row->role, &e.ref.role) < 0 ||
        hex_decode(row->token_sha256, e.hash, sizeof e.hash) < 0)
        return err_set(err, ERR_INVALID, "operator '%.60s' is damaged", row->name);
    return add_operator(ctx, &e, err);
}

static int load_enrolment(void *ctx, const struct row_enrolment *row, struct err *err)
{
    struct enrolment_entry e = {.uses_left = row->uses_left, .created_ms = row->created_ms};

    snprintf(e.id, sizeof e.id, "%s", row->id);
    snprintf(e.group, sizeof e.group, "%s", row->grp);
    if (hex_decode(row->token_sha256, e.hash, sizeof e.hash) < 0)
        return err_set(err, ERR_INVALID, "enrolment token '%.20s' is damaged", row->id);
    return add_enrolment(ctx, &e, err);
}

int auth_reload(struct server *s, struct err *err)
{
    static const struct store_visitor v = {.operator= load_operator, .enrolment = load_enrolment};
    struct auth *a = s->auth, fresh = {0};
    int r = store_load(s->store, &v, &fresh, err);

    if (r == 0) {
        pthread_rwlock_wrlock(&a->lock);
        free(a->operators);
        free(a->enrolments);
        a->operators = take_ptr(fresh.operators);
        a->enrolments = take_ptr(fresh.enrolments);
        a->n_operators = fresh.n_operators;
        a->n_enrolments = fresh.n_enrolments;
        pthread_rwlock_unlock(&a->lock);
    }
    free(fresh.operators);
    free(fresh.enrolments);
    return r;
}

int auth_open(struct server *s, struct auth **ret, struct err *err)
{
    struct auth *a = calloc(1, sizeof *a);
    int r;

    if (!a)
        return err_set(err, ERR_NOMEM, "out of memory");
    pthread_rwlock_init(&a->lock, NULL);
    s->auth = a;
    r = auth_reload(s, err);
    if (r < 0) {
        s->auth = NULL;
        auth_free(a);
        return r;
    }
    *ret = a;
    return 0;
}

void auth_free(struct auth *a)
{
    if (!a)
        return;
    free(a->operators);
    free(a->enrolments);
    pthread_rwlock_destroy(&a->lock);
    free(a);
}

/* --- tokens ---------------------------------------------------------------------------------- */

static void make_token(const char *prefix, char ret[64])
{
    uint8_t secret[TOKEN_BYTES];
    unsigned char text[4 * ((TOKEN_BYTES + 2) / 3) + 1];

    rand_bytes(secret, sizeof secret);
    EVP_EncodeBlock(text, secret, sizeof secret);
    for (int i = 0; i < TOKEN_CHARS; i++)
        text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
    snprintf(ret, 64, "%s%.*s", prefix, TOKEN_CHARS, (const char *)text);
    explicit_bzero(secret, sizeof secret);
    explicit_bzero(text, sizeof text);
}

int auth_operator(struct server *s, const char *token, struct operator_ref *ret, struct err *err)
{
    struct auth *a = s->auth;
    const struct operator_entry *found = NULL;
    uint8_t hash[SHA256_LEN];

    sha256(token, strlen(token), hash);
    pthread_rwlock_rdlock(&a->lock);
    for (size_t i = 0; i < a->n_operators; i++) /* all of them, so that time tells nothing */
        if (mem_equal(a->operators[i].hash, hash, sizeof hash) && !a->operators[i].revoked)
            found = &a->operators[i];
    if (found)
        *ret = found->ref;
    pthread_rwlock_unlock(&a->lock);
    return found ? 0 : err_set(err, ERR_UNAUTHORISED, "the token is not an operator's");
}

/* --- operators ------------------------------------------------------------------------------- */

static void put_operator(struct store_batch *batch, const struct operator_entry *e)
{
    char hash[SHA256_HEX_LEN + 1];
    const struct row_operator row = {.name = e->ref.name,
                                     .role = role_name(e->ref.role),
                                     .token_sha256 = hash,
                                     .created_ms = e->created_ms,
                                     .revoked = e->revoked};

    hex_encode(e->hash, sizeof e->hash, hash);
    store_put_operator(batch, &row);
}

static int insert_operator(struct server *s, const struct operator_entry *e,
                           struct store_batch *batch, struct err *err)
{
    struct auth *a = s->auth;
    int r;

    pthread_rwlock_wrlock(&a->lock);
    if (find_operator(a, e->ref.name))
        r = err_set(err, ERR_EXISTS, "operator '%s' exists", e->ref.name);
    else
        r = add_operator(a, e, err);
    pthread_rwlock_unlock(&a->lock);
    if (r == 0)
        put_operator(batch, e);
    return r;
}

/* Actors of the audit log, and whoever came without a token. */
static const char *const not_people[] = {"anonymous", "gate", "server"};

static int check_operator(const char *name, enum role role, struct err *err)
{
    int r = text_word_check(name, err);

    if (r == 0 && strlen(name) >= OPERATOR_NAME_MAX)
        r = err_set(err, ERR_INVALID, "longer than %d bytes", OPERATOR_NAME_MAX - 1);
    for (size_t i = 0; r == 0 && i < sizeof not_people / sizeof *not_people; i++)
        if (strcmp(name, not_people[i]) == 0)
            r = err_set(err, ERR_INVALID, "the audit log calls something else so");
    if (r == 0 && role < ROLE_VIEWER)
        r = err_set(err, ERR_INVALID, "'%s' is not a role of operators", role_name(role));
    return err_context(err, r, "operator '%.60s'", name);
}

int auth_add_operator(struct server *s, const char *name, enum role role, char ret_token[64],
                      struct store_batch *batch, struct err *err)
{
    struct operator_entry e = {.created_ms = clock_wall_ms(s->clock)};
    char token[64];
    int r = check_operator(name, role, err);

    if (r < 0)
        return r;
    strcpy(e.ref.name, name);
    e.ref.role = role;
    make_token("fbo_", token);
    sha256(token, strlen(token), e.hash);
    r = insert_operator(s, &e, batch, err);
    if (r == 0)
        memcpy(ret_token, token, sizeof token);
    explicit_bzero(token, sizeof token);
    return r;
}

static int import_one(struct server *s, const json_t *o, struct store_batch *batch, struct err *err)
{
    struct operator_entry e = {.created_ms = clock_wall_ms(s->clock)};
    char hash[SHA256_HEX_LEN + 1];
    const char *role;
    json_auto_t *detail = NULL;
    int r = jsonx_copy(o, "operator", "name", e.ref.name, sizeof e.ref.name, err);

    if (r == 0)
        r = jsonx_string(o, "operator", "role", 32, &role, err);
    if (r == 0)
        r = jsonx_sha256(o, "operator", "sha256", hash, err);
    if (r == 0 && role_from(role, &e.ref.role) < 0)
        r = err_set(err, ERR_INVALID, "'%.32s' is not a role", role);
    if (r == 0)
        r = check_operator(e.ref.name, e.ref.role, err);
    if (r < 0)
        return r;
    hex_decode(hash, e.hash, sizeof e.hash);
    r = insert_operator(s, &e, batch, err);
    if (r == -ERR_EXISTS)
        return 0;
    detail = json_pack("{s:s, s:s}", "role", role_name(e.ref.role), "from", "operators.json");
    return r == 0 ? audit_add(s, batch, "server", "operator.create", e.ref.name, detail) : r;
}

int auth_import(struct server *s, struct store_batch *batch, struct err *err)
{
    _cleanup_(free_p)
    char *path = path_join(s->config.bootstrap_dir, "operators.json");
    json_auto_t *file = NULL;
    json_t *list, *item;
    struct buf text;
    size_t i;
    int r;

    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (!file_exists(path))
        return 0;
    buf_init(&text, OPERATORS_MAX);
    r = file_read_secret(path, &text, err);
    if (r == 0)
        r = jsonx_parse(text.data, text.len, OPERATORS_MAX, &file, err);
    buf_release(&text);
    if (r == 0)
        r = jsonx_array(file, "operators", "operators", MAX_OPERATORS, &list, err);
    if (r < 0)
        return err_context(err, r, "'%s'", path);
    json_array_foreach (list, i, item) {
        r = import_one(s, item, batch, err);
        if (r < 0)
            return err_context(err, r, "'%s'", path);
    }
    return 0;
}

/* --- enrolment tokens ------------------------------------------------------------------------ */

static void put_enrolment(struct store_batch *batch, const struct enrolment_entry *e)
{
    char hash[SHA256_HEX_LEN + 1];
    const struct row_enrolment row = {.id = e->id,
                                      .grp = e->group,
                                      .token_sha256 = hash,
                                      .uses_left = e->uses_left,
                                      .created_ms = e->created_ms};

    hex_encode(e->hash, sizeof e->hash, hash);
    store_put_enrolment(batch, &row);
}

int auth_add_enrolment(struct server *s, const char *group, int64_t uses, char ret_token[64],
                       char ret_id[17], struct store_batch *batch, struct err *err)
{
    struct auth *a = s->auth;
    struct enrolment_entry e = {.uses_left = uses, .created_ms = clock_wall_ms(s->clock)};
    int r = text_word_check(group, err);

    if (r == 0 && strlen(group) >= sizeof e.group)
        r = err_set(err, ERR_INVALID, "longer than %d bytes", GROUP_NAME_MAX - 1);
    if (r < 0)
        return err_context(err, r, "group '%.60s'", group);
    if (uses < 1)
        return err_set(err, ERR_INVALID, "an enrolment token needs at least one use");
    strcpy(e.group, group);
    rand_hex(e.id, ENROLMENT_ID_LEN / 2);
    make_token("fbe_", ret_token);
    sha256(ret_token, strlen(ret_token), e.hash);
    pthread_rwlock_wrlock(&a->lock);
    r = add_enrolment(a, &e, err);
    pthread_rwlock_unlock(&a->lock);
    if (r < 0)
        return r;
    put_enrolment(batch, &e);
    memcpy(ret_id, e.id, sizeof e.id);
    return 0;
}

int auth_use_enrolment(struct server *s, const char *token, char ret_group[GROUP_NAME_MAX],
                       char ret_id[17], struct store_batch *batch, struct err *err)
{
    struct auth *a = s->auth;
    struct enrolment_entry *found = NULL;
    uint8_t hash[SHA256_LEN];
    int r = 0;

    sha256(token, strlen(token), hash);
    pthread_rwlock_wrlock(&a->lock);
    for (size_t i = 0; i < a->n_enrolments; i++)
        if (mem_equal(a->enrolments[i].hash, hash, sizeof hash))
            found = &a->enrolments[i];
    if (!found)
        r = err_set(err, ERR_UNAUTHORISED, "the enrolment token is not known");
    else if (found->uses_left < 1)
        r = err_set(err, ERR_UNAUTHORISED, "the enrolment token has no uses left");
    if (r < 0) {
        err_remedy(err, "ask for a new one: firebreak token create");
    } else {
        found->uses_left--;
        put_enrolment(batch, found);
        memcpy(ret_group, found->group, sizeof found->group);
        memcpy(ret_id, found->id, sizeof found->id);
    }
    pthread_rwlock_unlock(&a->lock);
    return r;
}

int auth_withdraw_enrolment(struct server *s, const char *id, struct store_batch *batch,
                            int64_t *ret_uses)
{
    struct auth *a = s->auth;
    int r = -1;

    pthread_rwlock_wrlock(&a->lock);
    for (size_t i = 0; i < a->n_enrolments; i++) {
        struct enrolment_entry *e = &a->enrolments[i];

        if (strcmp(e->id, id) != 0)
            continue;
        *ret_uses = e->uses_left;
        e->uses_left = 0;
        put_enrolment(batch, e);
        r = 0;
    }
    pthread_rwlock_unlock(&a->lock);
    return r;
}
