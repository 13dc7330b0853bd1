/* name: see name.h. */
#include "tuf/name.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"

#define UNRESERVED "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

static int quote(const char *name, const char *plain, char *ret, size_t size)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;

    for (const unsigned char *p = (const unsigned char *)name; *p; p++) {
        if (n + 4 > size)
            return -1;
        if (strchr(plain, *p)) {
            ret[n++] = (char)*p;
        } else {
            ret[n++] = '%';
            ret[n++] = digits[*p >> 4];
            ret[n++] = digits[*p & 15];
        }
    }
    ret[n] = '\0';
    return 0;
}

int name_quote(const char *name, char *ret, size_t size, struct err *err)
{
    if (quote(name, UNRESERVED, ret, size) < 0)
        return err_set(err, ERR_TOO_LARGE, "name '%.64s...' is too long", name);
    return 0;
}

int name_quote_path(const char *path, char *ret, size_t size, struct err *err)
{
    if (quote(path, UNRESERVED "/!$&'()*+,;=:@", ret, size) < 0)
        return err_set(err, ERR_TOO_LARGE, "path '%.64s...' is too long", path);
    return 0;
}

void name_file(const char *name, const char *suffix, char ret[TUF_FILE_NAME_MAX])
{
    char hash[SHA256_HEX_LEN + 1];

    if (quote(name, UNRESERVED, ret, TUF_FILE_NAME_MAX - strlen(suffix)) < 0) {
        sha256_hex(name, strlen(name), hash);
        snprintf(ret, TUF_FILE_NAME_MAX, "%%sha256-%s", hash);
    }
    strcat(ret, suffix);
}
