/* targets: see targets.h. */
#include "targets.h"

#include <stdbool.h>

#include "base/file.h"
#include "tuf/name.h"
#include "whole.h"

static bool is_here(const struct tuf_target *t, const char *path)
{
    struct buf b;
    bool here;

    buf_init(&b, (size_t)t->length);
    here = file_read(path, &b, NULL) == 0 && tuf_target_check(t, b.data, b.len, NULL) == 0;
    buf_release(&b);
    return here;
}

static int download(struct tuf_client *c, const struct tuf_target *t, const char *path,
                    struct err *err)
{
    struct buf b;
    int r;

    buf_init(&b, TARGET_BYTES_MAX);
    r = tuf_client_download(c, t, &b, err);
    if (r == 0)
        r = whole_write(path, b.data, b.len, err);
    buf_release(&b);
    return r;
}

int targets_get(struct tuf_client *c, int64_t now_s, const char *name, const char *dir,
                char **ret_path, struct err *err)
{
    _cleanup_(free_p)
    char *path = NULL;
    char file[TUF_FILE_NAME_MAX];
    struct tuf_target t;
    int r = tuf_client_find(c, now_s, name, &t, err);

    if (r < 0)
        return r;
    name_file(name, "", file);
    path = path_join(dir, file);
    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (!is_here(&t, path)) {
        r = download(c, &t, path, err);
        if (r < 0)
            return r;
    }
    *ret_path = take_ptr(path);
    return 0;
}
