/* ref: see ref.h. */
#include "ref.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/jsonx.h"

#define PUBLIC_KEY_MAX 16384

int ref_channel(const char *text, char ret[CHANNEL_NAME_MAX], struct err *err)
{
    int r = channel_name_check(text, err);

    if (r < 0) {
        if (err)
            err->code = ERR_USAGE;
        return -ERR_USAGE;
    }
    snprintf(ret, CHANNEL_NAME_MAX, "%s", text);
    return 0;
}

int ref_parse(const char *text, struct ref *ret, struct err *err)
{
    const char *slash = strchr(text, '/');
    struct ref ref;

    if (!slash || (size_t)(slash - text) >= sizeof ref.channel)
        return err_set(err, ERR_USAGE, "'%.80s' is not CHANNEL/VERSION", text);
    snprintf(ref.channel, sizeof ref.channel, "%.*s", (int)(slash - text), text);
    if (channel_name_check(ref.channel, err) < 0 || release_version_check(slash + 1, err) < 0) {
        if (err)
            err->code = ERR_USAGE;
        return err_context(err, -ERR_USAGE, "'%.80s'", text);
    }
    snprintf(ref.version, sizeof ref.version, "%s", slash + 1);
    *ret = ref;
    return 0;
}

int ref_passphrase(const struct cli *cli, char ret[PASSPHRASE_MAX], bool *ret_given,
                   struct err *err)
{
    const char *path = cli_get(cli, "passphrase-file");

    *ret_given = path != NULL;
    if (!path)
        return 0;
    return err_context(err, file_read_secret_line(path, ret, PASSPHRASE_MAX, err), "passphrase");
}

void ref_wipe(char secret[PASSPHRASE_MAX])
{
    explicit_bzero(secret, PASSPHRASE_MAX);
}

int ref_public_key(const char *path, struct key **ret, struct err *err)
{
    _cleanup_(buf_release)
    struct buf text;
    json_auto_t *o = NULL;
    int r;

    buf_init(&text, PUBLIC_KEY_MAX);
    r = file_read(path, &text, err);
    if (r == 0)
        r = jsonx_parse(text.data, text.len, PUBLIC_KEY_MAX, &o, err);
    if (r == 0)
        r = key_from_json(o, ret, err);
    if (r < 0)
        err_remedy(err, "make it with 'firebreak key show KEY -o PUB.json'");
    return err_context(err, r, "public key '%s'", path);
}

/* A key object begins with a brace, a PEM never does. */
static bool is_object_file(const char *path)
{
    _cleanup_(buf_release)
    struct buf text;
    bool is;

    buf_init(&text, PUBLIC_KEY_MAX);
    is = file_read(path, &text, NULL) == 0 && text.data[strspn(text.data, " \t\r\n")] == '{';
    explicit_bzero(text.data, text.len); /* it may be a private one */
    return is;
}

int ref_key(const char *ref, const char *passphrase, struct key **ret, struct err *err)
{
    _cleanup_(signer_free_p)
    struct signer *signer = NULL;
    json_auto_t *o = NULL;
    int r;

    if (is_object_file(ref))
        return ref_public_key(ref, ret, err);
    r = signer_open(ref, passphrase, &signer, err);
    if (r < 0)
        return r;
    o = key_to_json(signer_key(signer));
    return o ? key_from_json(o, ret, err) : err_set(err, ERR_NOMEM, "out of memory");
}

int ref_empty_dir(const char *path, struct err *err)
{
    _cleanup_(closedir_p)
    DIR *d = opendir(path);
    const struct dirent *e;

    if (!d && errno == ENOENT)
        return 0;
    if (!d && errno == ENOTDIR) {
        err_set(err, ERR_EXISTS, "'%s' exists and is not a directory", path);
        return err_remedy(err, "name a new directory");
    }
    if (!d)
        return err_errno(err, errno, "open directory '%s'", path);
    while ((e = readdir(d)))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            err_set(err, ERR_EXISTS, "directory '%s' is not empty", path);
            return err_remedy(err, "name a new directory; nothing is overwritten");
        }
    return 0;
}
