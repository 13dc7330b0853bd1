/* ref: see ref.h. */
#include "ref.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

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
