/*
 * site: a whole site for tests of the server, in a temporary directory: keys, root, targets,
 * operators and configuration as 'firebreak init' makes them, a server struct over it, and releases
 * to publish. Every failure fails the test.
 */
#ifndef FIREBREAK_TEST_SITE_H
#define FIREBREAK_TEST_SITE_H

#include "base/clock.h"
#include "manifest.h"
#include "metrics.h"
#include "pace.h"
#include "server.h"
#include "tuf/metadata.h"

#define SITE_CHANNEL   "crs"
#define SITE_THRESHOLD 2
#define SITE_START_MS  INT64_C(1764000000000) /* what the wall clock says at first */

struct site {
    char dir[64]; /* offline/ server/ endpoint/ operators/ state/ */
    struct server s;
    struct metrics metrics;
    struct clock_fixed at; /* moved by tests */
    struct clock clock;
    int64_t content_version, sequence; /* of the last release made */
    json_t *listed;                    /* targets of the content metadata so far */
};

/* Make the files and load the configuration; nothing is open yet. The clock stands at
 * SITE_START_MS until it is moved. */
struct site *site_new(void);
/* Open store, audit, auth (operators imported and committed) and repo, in this order. */
void site_open(struct site *site);
/* Close what is open, in the reverse order. */
void site_close(struct site *site);
/* Closes, removes the directory. */
void site_free(struct site *site);

/* A release of one file, signed. Change what a test wants wrong between make and sign. */
struct site_release {
    struct manifest *manifest;
    char *file; /* bytes of its one file */
    char *manifest_text;
    json_t *content; /* the content metadata's "signed" */
    char *content_text;
    int64_t expires_s;
    bool faster_pace;
};
/* Sequence and content version are one above the last one made; the pace opens at once. */
struct site_release *site_release_make(struct site *site, const char *version);
/* Fill manifest_text, content and content_text, signed by so many keys. */
void site_release_sign(struct site *site, struct site_release *r, int n_keys);
/* The same, content only: after a change of r->content. */
void site_release_sign_content(struct site *site, struct site_release *r, int n_keys);
void site_release_free(struct site_release *r);
/* Make, sign by the threshold, put its blob, stage, commit, publish. The digest into ret (65). */
void site_publish(struct site *site, const char *version, char ret_digest[65]);

/* Token of an operator that init made: "admin", "releaser", "approver-1", "viewer". */
void site_token(const struct site *site, const char *name, char ret[64]);

#endif
