/* key: `firebreak key ...`: private keys in files, and the public halves of all kinds of keys,
 * which are what is handed over. */
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/jsonx.h"
#include "ref.h"
#include "tuf/key.h"
#include "verbs.h"

#define PUBLIC_MAX    16384
#define PUBLIC_SUFFIX ".pub.json"

/* The TUF key object, for people and their tools to read. */
static int write_public(const char *path, const struct key *key, struct err *err)
{
    json_auto_t *o = key_to_json(key);
    _cleanup_(free_p)
    char *text = o ? json_dumps(o, JSON_INDENT(2) | JSON_SORT_KEYS) : NULL;
    _cleanup_(buf_release)
    struct buf line;

    buf_init(&line, PUBLIC_MAX);
    if (!text || buf_adds(&line, text) < 0 || buf_addc(&line, '\n') < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    return file_write_durable(path, line.data, line.len, 0644, err);
}

static void print_key(const struct cli *cli, const struct key *key, const char *file,
                      const char *public_file)
{
    json_auto_t *o = key_to_json(key);
    json_auto_t *result = json_pack("{s:s, s:O, s:s*, s:s*}", "keyid", key_id(key), "key", o,
                                    "file", file, "public_file", public_file);

    if (cli_result(cli, result))
        return;
    printf("key %s\n  %s, %s\n", key_id(key), json_string_value(json_object_get(o, "keytype")),
           json_string_value(json_object_get(o, "scheme")));
    if (file)
        printf("  private half in %s: back it up, hand it to nobody\n", file);
    if (public_file)
        printf("  public half in %s: this is what to hand over\n", public_file);
}

static int make(const struct cli *cli, const char *passphrase, struct err *err)
{
    const char *type = cli_get(cli, "type"), *path = cli->args[0];
    _cleanup_(free_p)
    char *public_path = NULL;
    _cleanup_(key_free_p)
    struct key *key = NULL;
    int r;

    if (asprintf(&public_path, "%s" PUBLIC_SUFFIX, path) < 0) {
        public_path = NULL;
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    if (file_exists(public_path)) {
        err_set(err, ERR_EXISTS, "'%s' exists; a key is never overwritten", public_path);
        return err_remedy(err, "choose another name for the new key");
    }
    r = key_generate(type ? type : "ed25519", path, passphrase, &key, err);
    if (r < 0)
        return r;
    r = write_public(public_path, key, err);
    if (r < 0) {
        unlink(path); /* both halves or none; nobody has used it yet */
        return r;
    }
    print_key(cli, key, path, public_path);
    return 0;
}

int key_new_run(struct cli *cli, struct err *err)
{
    char passphrase[PASSPHRASE_MAX] = "";
    bool given = false, plain = cli_has(cli, "no-passphrase");
    int r;

    if (plain == cli_has(cli, "passphrase-file")) {
        err_set(err, ERR_USAGE, "a key needs either a passphrase or none");
        return err_remedy(err, "give --passphrase-file F or --no-passphrase");
    }
    if (cli_has(cli, "type") && key_type_check(cli_get(cli, "type"), err) < 0) {
        err->code = ERR_USAGE;
        return -ERR_USAGE;
    }
    r = ref_passphrase(cli, passphrase, &given, err);
    if (r == 0)
        r = make(cli, given ? passphrase : NULL, err);
    ref_wipe(passphrase);
    return r;
}

int key_show_run(struct cli *cli, struct err *err)
{
    char passphrase[PASSPHRASE_MAX] = "";
    const char *out = cli_get(cli, "o");
    _cleanup_(key_free_p)
    struct key *key = NULL;
    bool given = false;
    int r;

    if (out && file_exists(out)) {
        err_set(err, ERR_EXISTS, "'%s' exists", out);
        return err_remedy(err, "name a new file; nothing is overwritten");
    }
    r = ref_passphrase(cli, passphrase, &given, err);
    if (r == 0)
        r = ref_key(cli->args[0], given ? passphrase : NULL, &key, err);
    ref_wipe(passphrase);
    if (r == 0 && out)
        r = write_public(out, key, err);
    if (r == 0)
        print_key(cli, key, NULL, out);
    return r;
}

/* Both passphrases: of the key as it is, and as it shall be; NULL for none. */
static int change(const struct cli *cli, const char *from, const char *to, struct err *err)
{
    _cleanup_(key_free_p)
    struct key *key = NULL;
    json_auto_t *o = NULL;
    int r = key_change_passphrase(cli->args[0], from, to, &key, err);

    if (r < 0)
        return r;
    o = json_pack("{s:s, s:s, s:b}", "file", cli->args[0], "keyid", key_id(key), "encrypted",
                  to != NULL);
    if (!cli_result(cli, o))
        printf("key %.12s in %s has a new passphrase\n"
               "  copies and backups of the file still open with the old one\n",
               key_id(key), cli->args[0]);
    return 0;
}

int key_passphrase_run(struct cli *cli, struct err *err)
{
    char from[PASSPHRASE_MAX] = "", to[PASSPHRASE_MAX] = "";
    bool given = false;
    int r = ref_passphrase(cli, from, &given, err);

    if (r == 0)
        r = err_context(
            err, file_read_secret_line(cli_get(cli, "new-passphrase-file"), to, sizeof to, err),
            "new passphrase");
    if (r == 0)
        r = change(cli, given ? from : NULL, to, err);
    ref_wipe(from);
    ref_wipe(to);
    return r;
}
