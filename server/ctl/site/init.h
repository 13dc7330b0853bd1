/*
 * init: a new Firebreak site in one directory: offline keys, a server's folder, an endpoint's
 * folder, the first operators' tokens. Nothing is overwritten; what was written before a failure is
 * removed again.
 */
#ifndef FIREBREAK_CTL_INIT_H
#define FIREBREAK_CTL_INIT_H

#include <stdint.h>

#include "base/err.h"
#include "tuf/envelope.h"

#define INIT_MAX_THRESHOLD 8
#define INIT_ROOT_DAYS     365
#define INIT_TARGETS_DAYS  180

struct init_options {
    const char *dir;
    const char *channel;
    int threshold;          /* each offline role has threshold + 1 keys */
    const char *key_type;   /* one of KEY_TYPES */
    const char *passphrase; /* of the offline keys */
    const char *url;        /* what endpoints will call the server */
    int64_t now_s;
};

/* Write the whole site. */
int init_site(const struct init_options *o, struct err *err);

/* One offline role's keys: n pairs in DIR/offline/<role>-<i>.pem, opened for signing. */
struct init_role {
    struct key *keys[INIT_MAX_THRESHOLD + 1];
    struct signer *signers[INIT_MAX_THRESHOLD + 1];
    int n;
};
void init_role_release(struct init_role *r);

/* init_text.c: the files that people read and edit. */
int init_text_server(const struct init_options *o, struct buf *ret);
int init_text_agent(const struct init_options *o, struct buf *ret);
int init_text_readme(const struct init_options *o, struct buf *ret);

#endif
