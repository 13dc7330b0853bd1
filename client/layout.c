/* layout: see layout.h. */
#include "layout.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

const char *layout_at(struct path *p, const char *state_dir, const char *fmt, ...)
{
    va_list ap;
    int n = snprintf(p->s, sizeof p->s, "%s/", state_dir);

    if (n < 0 || (size_t)n >= sizeof p->s)
        abort(); /* bounded by LAYOUT_ROOT_MAX */
    va_start(ap, fmt);
    int m = vsnprintf(p->s + n, sizeof p->s - (size_t)n, fmt, ap);

    va_end(ap);
    if (m < 0 || (size_t)m >= sizeof p->s - (size_t)n)
        abort();
    return p->s;
}

static int has_channels(const char *state_dir)
{
    struct path p;
    _cleanup_(closedir_p)
    DIR *d = opendir(layout_at(&p, state_dir, "channels"));
    struct dirent *e;

    while (d && (e = readdir(d)))
        if (e->d_name[0] != '.')
            return 1;
    return 0;
}

int layout_is_inhabited(const char *state_dir)
{
    struct path p;

    return file_exists(layout_at(&p, state_dir, LAYOUT_IDENTITY)) ||
           file_exists(layout_at(&p, state_dir, LAYOUT_STATE "/a")) ||
           file_exists(layout_at(&p, state_dir, LAYOUT_STATE "/b")) || has_channels(state_dir);
}
