/*
 * repo_walk_internal: what repo_walk's files share.
 *
 *   repo_walk.c          the chain of roots, the roles; what is found, and what is wrong
 *   repo_walk_channel.c  releases, plans, and the blobs that they need
 */
#ifndef FIREBREAK_CTL_REPO_WALK_INTERNAL_H
#define FIREBREAK_CTL_REPO_WALK_INTERNAL_H

#include "repository/repo_walk.h"

struct walking {
    struct repo_walk *w;
    struct repo_source *source;
    struct tuf_fetch fetch; /* from the source, metadata kept */
    struct tuf_client *client;
    int64_t now_s;
    uint32_t *slots; /* hash table: index of a blob, plus 1 */
    size_t n_slots;
};

/* Note that `subject` is wrong, as err says. 0; an error that says nothing about the repository is
 * handed on. */
int walk_note(struct walking *k, const char *subject, int r, struct err *err);
int walk_note_is(struct walking *k, const char *subject, struct err *err, const char *remedy);

/* A channel's content metadata and everything that it and the channel's plan name. content: NULL
 * where nothing was released yet. */
int walk_one_channel(struct walking *k, const char *channel, const struct metadata *content,
                     const struct walk_file *text, struct err *err);

#endif
