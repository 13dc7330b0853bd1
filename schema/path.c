/* path: names that become part of a file system path: channels, versions, files of a release. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "manifest.h"
#include "text.h"

#define PART_MAX 255 /* NAME_MAX of every file system in use */

int channel_name_check(const char *name, struct err *err)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

    if (n == 0 || name[0] == '-' || name[n] || n >= CHANNEL_NAME_MAX)
        return err_set(err, ERR_INVALID,
                       "channel name '%.*s' is not 1 to %d lowercase letters, digits and '-'",
                       text_shown(name, 40), name, CHANNEL_NAME_MAX - 1);
    return 0;
}

int release_version_check(const char *version, struct err *err)
{
    if (text_word_check(version, NULL) < 0 || strlen(version) >= RELEASE_VERSION_MAX)
        return err_set(err, ERR_INVALID, "version '%.*s' is not 1 to %d letters, digits and '._+-'",
                       text_shown(version, 80), version, RELEASE_VERSION_MAX - 1);
    return 0;
}

/* NULL where all characters are allowed, else what is wrong. */
static const char *bad_characters(const char *path)
{
    for (const char *s = path; *s;) {
        uint32_t cp = 0;
        size_t k = utf8_next(s, &cp);

        if (k == 0)
            return "is not UTF-8";
        if (utf8_is_control(cp))
            return "has a control character";
        if (cp == '\\')
            return "has a backslash";
        s += k;
    }
    return NULL;
}

static const char *bad_parts(const char *path)
{
    for (const char *s = path;; s++) {
        size_t n = strcspn(s, "/");

        if (n == 0)
            return s == path && *s ? "is absolute" : "has an empty part";
        if ((n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
            return "has a '.' or '..' part";
        if (n > PART_MAX)
            return "has a part of more than 255 bytes";
        s += n;
        if (!*s)
            return NULL;
    }
}

int path_check(const char *path, struct err *err)
{
    const char *why = NULL;

    if (strlen(path) >= FILE_PATH_MAX)
        why = "is longer than 511 bytes";
    if (!why)
        why = bad_characters(path);
    /* What is not fit to print is not printed. */
    if (why)
        return err_set(err, ERR_BAD_PATH, "a path %s", why);
    why = bad_parts(path);
    if (why)
        return err_set(err, ERR_BAD_PATH, "path '%.*s' %s", text_shown(path, 200), path, why);
    return 0;
}
