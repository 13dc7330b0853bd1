/* init: see init.h. */
#include "site/init.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/evp.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "manifest.h"
#include "ref.h"
#include "tuf/metadata.h"
#include "verbs.h"

#define DAY_S            86400
#define TOKEN_BYTES      32
#define TOKEN_SIZE       64 /* "fbo_" + 43 characters, newline, NUL fit */
#define SIGNED_BYTES_MAX TUF_ROOT_MAX

/* Everything that init_site makes in DIR: removed again after a failure. */
static const char *const made[] = {"offline", "server", "endpoint", "operators", "README.txt"};

static const char *const folders[] = {"offline",          "server",   "server/online",
                                      "server/bootstrap", "endpoint", "operators"};

/* The server's own keys. */
enum online_key { ONLINE_ROLLOUT, ONLINE_SNAPSHOT, ONLINE_TIMESTAMP, ONLINE_PERMIT, N_ONLINE };
static const char *const online_names[N_ONLINE] = {"rollout", "snapshot", "timestamp", "permit"};

static const struct init_operator {
    const char *name, *role;
} operators[] = {
    {"admin", "admin"},         {"releaser", "releaser"}, {"approver-1", "approver"},
    {"approver-2", "approver"}, {"viewer", "viewer"},
};

/* All keys of a new site. */
struct site_keys {
    struct init_role root, targets, content;
    struct key *online[N_ONLINE];
};

void init_role_release(struct init_role *r)
{
    for (int i = 0; i < r->n; i++) {
        key_free(r->keys[i]);
        signer_free(r->signers[i]);
    }
    memset(r, 0, sizeof *r);
}

static void site_keys_release(struct site_keys *k)
{
    init_role_release(&k->root);
    init_role_release(&k->targets);
    init_role_release(&k->content);
    for (int i = 0; i < N_ONLINE; i++)
        key_free(k->online[i]);
}

static int site_path(const struct init_options *o, const char *name, char **ret, struct err *err)
{
    *ret = path_join(o->dir, name);
    return *ret ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

static int write_file(const struct init_options *o, const char *name, const void *data, size_t len,
                      mode_t mode, struct err *err)
{
    _cleanup_(free_p)
    char *path = NULL;
    int r = site_path(o, name, &path, err);

    return r < 0 ? r : file_write_durable(path, data, len, mode, err);
}

static int make_role(const struct init_options *o, const char *role, struct init_role *ret,
                     struct err *err)
{
    for (int i = 0; i <= o->threshold; i++) {
        _cleanup_(free_p)
        char *path = NULL;
        char name[96];
        int r;

        snprintf(name, sizeof name, "offline/%s-%d.pem", role, i + 1);
        r = site_path(o, name, &path, err);
        if (r == 0)
            r = key_generate(o->key_type, path, o->passphrase, &ret->keys[i], err);
        if (r < 0)
            return r;
        ret->n = i + 1;
        r = signer_open(path, o->passphrase, &ret->signers[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int make_keys(const struct init_options *o, const char *content_role, struct site_keys *ret,
                     struct err *err)
{
    int r = make_role(o, "root", &ret->root, err);

    if (r == 0)
        r = make_role(o, "targets", &ret->targets, err);
    if (r == 0)
        r = make_role(o, content_role, &ret->content, err);
    for (int i = 0; r == 0 && i < N_ONLINE; i++) {
        _cleanup_(free_p)
        char *path = NULL;
        char name[64];

        snprintf(name, sizeof name, "server/online/%s.pem", online_names[i]);
        r = site_path(o, name, &path, err);
        if (r == 0)
            r = key_generate(o->key_type, path, NULL, &ret->online[i], err);
    }
    return r;
}

/* Sign with all keys of the role and write to both names (second may be NULL). */
static int write_signed(const struct init_options *o, json_t *body, const struct init_role *role,
                        const char *name, const char *name2, struct err *err)
{
    json_auto_t *envelope = envelope_new(body);
    _cleanup_(buf_release)
    struct buf text;
    int r = envelope ? 0 : err_set(err, ERR_NOMEM, "out of memory");

    buf_init(&text, SIGNED_BYTES_MAX);
    for (int i = 0; r == 0 && i < role->n; i++)
        r = envelope_sign(envelope, role->signers[i], err);
    if (r == 0)
        r = envelope_dump(envelope, &text, err);
    if (r == 0)
        r = write_file(o, name, text.data, text.len, 0644, err);
    if (r == 0 && name2)
        r = write_file(o, name2, text.data, text.len, 0644, err);
    return r;
}

static int make_root(const struct init_options *o, const struct site_keys *k, struct err *err)
{
    json_auto_t *root = metadata_new_root(1, o->now_s + INIT_ROOT_DAYS * (int64_t)DAY_S);
    const struct {
        const char *role;
        struct key *const *keys;
        int n, threshold;
    } roles[] = {
        {"root", k->root.keys, k->root.n, o->threshold},
        {"targets", k->targets.keys, k->targets.n, o->threshold},
        {"snapshot", &k->online[ONLINE_SNAPSHOT], 1, 1},
        {"timestamp", &k->online[ONLINE_TIMESTAMP], 1, 1},
    };

    for (size_t i = 0; root && i < sizeof roles / sizeof roles[0]; i++)
        if (metadata_root_set_role(root, roles[i].role, (const struct key *const *)roles[i].keys,
                                   (size_t)roles[i].n, roles[i].threshold) < 0)
            return err_set(err, ERR_INTERNAL, "make role '%s' of root", roles[i].role);
    if (!root)
        return err_set(err, ERR_NOMEM, "out of memory");
    return write_signed(o, root, &k->root, "server/bootstrap/1.root.json", "endpoint/root.json",
                        err);
}

static int make_targets(const struct init_options *o, const char *content_role,
                        const struct site_keys *k, struct err *err)
{
    json_auto_t *targets = metadata_new_targets(1, o->now_s + INIT_TARGETS_DAYS * (int64_t)DAY_S);
    char pattern[CHANNEL_NAME_MAX + 16];
    const char *content_paths[] = {pattern}, *rollout_paths[] = {"rollout/*"};

    snprintf(pattern, sizeof pattern, "content/%s/*", o->channel);
    if (!targets ||
        metadata_targets_delegate(targets, content_role, content_paths, 1,
                                  (const struct key *const *)k->content.keys, (size_t)k->content.n,
                                  o->threshold) < 0 ||
        metadata_targets_delegate(targets, "rollout", rollout_paths, 1,
                                  (const struct key *const *)&k->online[ONLINE_ROLLOUT], 1, 1) < 0)
        return err_set(err, ERR_INTERNAL, "make the delegations of targets");
    return write_signed(o, targets, &k->targets, "server/bootstrap/1.targets.json", NULL, err);
}

/* 43 base64url characters (RFC 4648, section 5, without padding) of 32 random bytes. */
static void make_token(char ret[TOKEN_SIZE])
{
    uint8_t secret[TOKEN_BYTES];
    unsigned char text[48];

    rand_bytes(secret, sizeof secret);
    EVP_EncodeBlock(text, secret, sizeof secret);
    for (int i = 0; i < 43; i++)
        text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
    snprintf(ret, TOKEN_SIZE, "fbo_%.43s", (const char *)text);
    explicit_bzero(secret, sizeof secret);
    explicit_bzero(text, sizeof text);
}

static int make_operator(const struct init_options *o, const struct init_operator *op, json_t *list,
                         struct err *err)
{
    char token[TOKEN_SIZE], name[64], hash[SHA256_HEX_LEN + 1];
    int r;

    make_token(token);
    sha256_hex(token, strlen(token), hash);
    if (json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", op->name, "role", op->role,
                                              "sha256", hash)) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    strcat(token, "\n");
    snprintf(name, sizeof name, "operators/%s.token", op->name);
    r = write_file(o, name, token, strlen(token), 0600, err);
    explicit_bzero(token, sizeof token);
    return r;
}

static int make_operators(const struct init_options *o, struct err *err)
{
    json_auto_t *file = json_pack("{s:[]}", "operators");
    _cleanup_(free_p)
    char *text = NULL;
    int r = file ? 0 : err_set(err, ERR_NOMEM, "out of memory");

    for (size_t i = 0; r == 0 && i < sizeof operators / sizeof operators[0]; i++)
        r = make_operator(o, &operators[i], json_object_get(file, "operators"), err);
    if (r < 0)
        return r;
    text = json_dumps(file, JSON_INDENT(2) | JSON_SORT_KEYS);
    if (!text)
        return err_set(err, ERR_NOMEM, "out of memory");
    return write_file(o, "server/bootstrap/operators.json", text, strlen(text), 0600, err);
}

static int make_master(const struct init_options *o, struct err *err)
{
    char text[SHA256_HEX_LEN + 2];
    int r;

    rand_hex(text, SHA256_LEN);
    text[SHA256_HEX_LEN] = '\n';
    r = write_file(o, "server/online/master.key", text, SHA256_HEX_LEN + 1, 0600, err);
    explicit_bzero(text, sizeof text);
    return r;
}

static int make_texts(const struct init_options *o, struct err *err)
{
    static const struct {
        const char *name;
        int (*write)(const struct init_options *o, struct buf *ret);
    } texts[] = {
        {"server/firebreakd.conf", init_text_server},
        {"endpoint/agent.conf", init_text_agent},
        {"README.txt", init_text_readme},
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        _cleanup_(buf_release)
        struct buf b;
        int r;

        buf_init(&b, 65536);
        if (texts[i].write(o, &b) < 0)
            return err_set(err, ERR_NOMEM, "out of memory");
        r = write_file(o, texts[i].name, b.data, b.len, 0644, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int make_folders(const struct init_options *o, struct err *err)
{
    int r = file_mkdir_p(o->dir, 0700, err);

    for (size_t i = 0; r == 0 && i < sizeof folders / sizeof folders[0]; i++) {
        _cleanup_(free_p)
        char *path = NULL;

        r = site_path(o, folders[i], &path, err);
        if (r == 0)
            r = file_mkdir_p(path, 0700, err);
    }
    return r;
}

static int make_site(const struct init_options *o, struct site_keys *k, struct err *err)
{
    char content_role[TUF_ROLE_NAME_MAX];
    int r = make_folders(o, err);

    if (r == 0 && content_role_name(o->channel, content_role, sizeof content_role) < 0)
        r = err_set(err, ERR_USAGE, "channel name '%s' is too long", o->channel);
    if (r == 0)
        r = make_keys(o, content_role, k, err);
    if (r == 0)
        r = make_root(o, k, err);
    if (r == 0)
        r = make_targets(o, content_role, k, err);
    if (r == 0)
        r = make_master(o, err);
    if (r == 0)
        r = make_operators(o, err);
    return r == 0 ? make_texts(o, err) : r;
}

int init_site(const struct init_options *o, struct err *err)
{
    struct site_keys keys = {0};
    int r = ref_empty_dir(o->dir, err);

    if (r < 0)
        return r;
    r = make_site(o, &keys, err);
    site_keys_release(&keys);
    for (size_t i = 0; r < 0 && i < sizeof made / sizeof made[0]; i++) {
        _cleanup_(free_p)
        char *path = path_join(o->dir, made[i]);

        if (path)
            file_remove_tree(path, NULL);
    }
    return r;
}

static int read_options(const struct cli *cli, struct init_options *o, struct err *err)
{
    const char *key_type = cli_get(cli, "key-type"), *url = cli_get(cli, "url");
    int64_t threshold;
    int r = cli_get_int(cli, "threshold", 1, INIT_MAX_THRESHOLD, 2, &threshold, err);

    if (r < 0)
        return r;
    o->dir = cli->args[0];
    o->channel = cli_get(cli, "channel");
    o->threshold = (int)threshold;
    o->key_type = key_type ? key_type : "ed25519";
    o->url = url ? url : "http://127.0.0.1:8440";
    o->now_s = clock_wall_ms(clock_system()) / 1000;
    if (key_type_check(o->key_type, err) < 0) {
        if (err)
            err->code = ERR_USAGE;
        return -ERR_USAGE;
    }
    if (strncmp(o->url, "http://", 7) != 0 && strncmp(o->url, "https://", 8) != 0)
        return err_set(err, ERR_USAGE, "url '%.80s' is neither http:// nor https://", o->url);
    if (strpbrk(o->url, " \t\r\n"))
        return err_set(err, ERR_USAGE, "url '%.80s' has white space in it", o->url);
    return 0;
}

static void print_done(const struct cli *cli, const struct init_options *o)
{
    json_auto_t *result =
        json_pack("{s:s, s:s, s:i, s:i, s:s}", "dir", o->dir, "channel", o->channel, "threshold",
                  o->threshold, "keys", o->threshold + 1, "key_type", o->key_type);

    if (cli_result(cli, result))
        return;
    printf("site for channel '%s' written to %s\n"
           "  offline/    keep offline: %d of %d keys sign a release\n"
           "  server/     for the server: firebreakd --config %s/server/firebreakd.conf\n"
           "  endpoint/   for every endpoint\n"
           "  operators/  tokens to hand out\n"
           "README.txt there says what goes where.\n",
           o->channel, o->dir, o->threshold, o->threshold + 1, o->dir);
}

int init_run(struct cli *cli, struct err *err)
{
    struct init_options o = {0};
    char passphrase[PASSPHRASE_MAX], channel[CHANNEL_NAME_MAX];
    bool given;
    int r = read_options(cli, &o, err);

    if (r == 0)
        r = ref_channel(o.channel, channel, err);
    if (r == 0)
        r = ref_passphrase(cli, passphrase, &given, err);
    if (r < 0)
        return r;
    o.passphrase = passphrase;
    if (!passphrase[0])
        r = err_set(err, ERR_USAGE, "passphrase is empty");
    if (r == 0)
        r = init_site(&o, err);
    ref_wipe(passphrase);
    if (r == 0)
        print_done(cli, &o);
    return r;
}
