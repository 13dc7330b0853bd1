/* offline: the next version of what a test's site has published, signed by whichever keys, and
 * handed to the server. Every failure that is not asked about fails the test. */
#ifndef FIREBREAK_TEST_OFFLINE_H
#define FIREBREAK_TEST_OFFLINE_H

#include "repo/repo.h"
#include "site.h"

/* All of the server that metadata is taken in by: site_open, fleet, rollouts. The error of the
 * take-in from bootstrap_dir is returned. */
int offline_open(struct site *site, struct err *err);
void offline_close(struct site *site);

/* "signed" of a role as it is published, one version on, for another 90 days. */
json_t *offline_next(struct site *site, const char *role);
/* Signed by these key files of the site, names without .pem, separated by blanks. malloc'd. */
char *offline_sign(struct site *site, json_t *body, const char *keys);
/* A new key pair in a file of the site; its public half. */
struct key *offline_key(struct site *site, const char *name);
/* The public half of a key of the site. */
struct key *offline_public(struct site *site, const char *name);
/* Makes `n` keys those of a role of this root, or delegated by this targets file. */
void offline_root_role(json_t *root, const char *role, struct key *const *keys, size_t n,
                       int threshold);
void offline_delegate(json_t *targets, const char *role, const char *path, struct key *const *keys,
                      size_t n, int threshold);
/* Targets no longer delegates it. */
void offline_undelegate(json_t *targets, const char *role);

/* Any number of files; the texts are freed. Returns what the server says. */
int offline_take_all(struct site *site, struct repo_upload *files, size_t n, struct err *err);
/* One file, or two, likewise. */
int offline_take(struct site *site, const char *role, char *text, struct err *err);
int offline_take2(struct site *site, const char *role, char *text, const char *role2, char *text2,
                  struct err *err);
/* Into bootstrap_dir, as "<version>.<role>.json"; the text is freed. */
void offline_lay_down(struct site *site, const char *role, int version, char *text);

#endif
