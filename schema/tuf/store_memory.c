/* store_memory: see store_memory.h. */
#include "tuf/store_memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

struct memory_file {
    char *name;
    char *data; /* NULL: removed */
    size_t len;
};

struct tuf_memory {
    struct tuf_store below; /* get NULL: nothing */
    struct memory_file files[TUF_MEMORY_FILES_MAX];
    size_t n;
    size_t bytes; /* of all data */
};

struct tuf_memory *tuf_memory_new(const struct tuf_store *below)
{
    struct tuf_memory *m = calloc(1, sizeof *m);

    if (m && below)
        m->below = *below;
    return m;
}

void tuf_memory_free(struct tuf_memory *m)
{
    for (size_t i = 0; m && i < m->n; i++) {
        free(m->files[i].name);
        free(m->files[i].data);
    }
    free(m);
}

static struct memory_file *find(struct tuf_memory *m, const char *name)
{
    for (size_t i = 0; i < m->n; i++)
        if (!strcmp(m->files[i].name, name))
            return &m->files[i];
    return NULL;
}

static int find_or_add(struct tuf_memory *m, const char *name, struct memory_file **ret,
                       struct err *err)
{
    struct memory_file *f = find(m, name);
    char *copy;

    if (!f) {
        if (m->n == TUF_MEMORY_FILES_MAX)
            return err_set(err, ERR_TOO_LARGE, "more than %d metadata files", TUF_MEMORY_FILES_MAX);
        copy = strdup(name);
        if (!copy)
            return err_set(err, ERR_NOMEM, "out of memory");
        f = &m->files[m->n++];
        *f = (struct memory_file){.name = copy};
    }
    *ret = f;
    return 0;
}

static int memory_get(void *ctx, const char *name, struct buf *ret, struct err *err)
{
    struct tuf_memory *m = ctx;
    const struct memory_file *f = find(m, name);
    int r;

    if (!f && m->below.get)
        return m->below.get(m->below.ctx, name, ret, err);
    if (!f || !f->data)
        return err_set(err, ERR_NOT_FOUND, "no '%.128s' is stored", name);
    r = buf_add(ret, f->data, f->len);
    return r < 0 ? err_set(err, (enum err_code) - r, "read '%.128s'", name) : 0;
}

/* An entry without data says "removed", so that none is made before the file is sure to go in. */
static int memory_put(void *ctx, const char *name, const void *data, size_t len, struct err *err)
{
    _cleanup_(free_p)
    char *copy = NULL;
    struct tuf_memory *m = ctx;
    struct memory_file *f = find(m, name);
    size_t others = m->bytes - (f ? f->len : 0);
    int r;

    if (len > TUF_MEMORY_BYTES_MAX - others)
        return err_set(err, ERR_TOO_LARGE, "metadata takes more than %d bytes",
                       TUF_MEMORY_BYTES_MAX);
    copy = malloc(len + 1);
    if (!copy)
        return err_set(err, ERR_NOMEM, "out of memory");
    memcpy(copy, data, len);
    copy[len] = '\0';
    r = find_or_add(m, name, &f, err);
    if (r < 0)
        return r;
    m->bytes = others + len;
    free(f->data);
    f->data = take_ptr(copy);
    f->len = len;
    return 0;
}

static int memory_remove(void *ctx, const char *name, struct err *err)
{
    struct tuf_memory *m = ctx;
    struct memory_file *f = find(m, name);

    if (!f && m->below.get) { /* what lies below must be covered */
        int r = find_or_add(m, name, &f, err);

        if (r < 0)
            return r;
    }
    if (f) {
        m->bytes -= f->len;
        free(take_ptr(f->data));
        f->len = 0;
    }
    return 0;
}

struct tuf_store tuf_memory_store(struct tuf_memory *m)
{
    return (struct tuf_store){
        .get = memory_get, .put = memory_put, .remove = memory_remove, .ctx = m};
}
