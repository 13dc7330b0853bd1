/*
 * previous: the content metadata that a channel has so far, on which the next one is made: from a
 * file (--previous), or from the server, verified where --root is given.
 */
#ifndef FIREBREAK_CTL_PREVIOUS_H
#define FIREBREAK_CTL_PREVIOUS_H

#include "base/cli.h"
#include "tuf/metadata.h"

struct previous {
    struct metadata *content; /* NULL: the channel has no release yet */
    bool looked;              /* there was somewhere to look for it */
    bool unverified;          /* it is the server's word alone */
};
void previous_release(struct previous *p);

/* ERR_INVALID where it is of another channel. now_s: when it is verified. */
int previous_read(const struct cli *cli, const char *channel, int64_t now_s, struct previous *ret,
                  struct err *err);

/* On standard error, where it is not verified. */
void previous_note(const struct previous *p);

#endif
