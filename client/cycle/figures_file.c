/* figures_file: see figures_file.h. */
#include "cycle/figures_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"

static bool is_as_it_was(const struct figures_file *f, const struct stat *st)
{
    return f->dev == st->st_dev && f->ino == st->st_ino && f->size == st->st_size &&
           f->written.tv_sec == st->st_mtim.tv_sec && f->written.tv_nsec == st->st_mtim.tv_nsec;
}

int figures_file_read(struct figures_file *f, const char *path, struct figures *ret,
                      struct err *err)
{
    _cleanup_(buf_release)
    struct buf text;
    struct figures figures = {0};
    struct stat st;
    int r;

    buf_init(&text, FIGURES_FILE_MAX);
    *ret = figures;
    if (stat(path, &st) < 0)
        return errno == ENOENT ? 0 : err_errno(err, errno, "stat '%s'", path);
    if (is_as_it_was(f, &st))
        return 0;
    /* One that is replaced between the two is told now, and once more. */
    *f = (struct figures_file){st.st_dev, st.st_ino, st.st_size, st.st_mtim};
    r = file_read(path, &text, err); /* a regular file, without waiting for it */
    if (r == 0)
        r = err_context(err, figures_parse(text.data, text.len, &figures, err), "'%s'", path);
    if (r == 0)
        *ret = figures;
    return r;
}
