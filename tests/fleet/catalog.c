/* catalog: see catalog.h. */
#include "catalog.h"

#include <stdio.h>
#include <string.h>

void view_free(struct view *v)
{
    if (!v)
        return;
    plan_free(v->plan);
    for (int i = 0; i < v->n_manifests; i++)
        manifest_free(v->manifests[i]);
    free(v);
}

int catalog_find(const struct catalog *c, const char *digest)
{
    for (int i = 0; i < c->n; i++)
        if (strcmp(c->releases[i].digest, digest) == 0)
            return i;
    return -1;
}

void catalog_adopt(struct catalog *c, const struct view *v, int64_t now_ms)
{
    for (int i = 0; i < v->n_manifests; i++) {
        const struct manifest *m = v->manifests[i];
        struct catalog_release *r;

        if (catalog_find(c, m->digest) >= 0 || c->n == CATALOG_MAX)
            continue;
        r = &c->releases[c->n++];
        *r = (struct catalog_release){.sequence = m->sequence, .pace = m->pace, .seen_ms = now_ms};
        snprintf(r->digest, sizeof r->digest, "%s", m->digest);
        snprintf(r->version, sizeof r->version, "%s", m->version);
    }
}
