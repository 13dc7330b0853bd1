/* ref: what the command line names: releases as "CHANNEL/VERSION", and secrets by file. */
#ifndef FIREBREAK_CTL_REF_H
#define FIREBREAK_CTL_REF_H

#include <stdbool.h>

#include "base/cli.h"
#include "manifest.h"
#include "tuf/key.h"

#define PASSPHRASE_MAX 1024 /* with the NUL */

struct ref {
    char channel[CHANNEL_NAME_MAX];
    char version[RELEASE_VERSION_MAX];
};

/* "crs/1.2.0". ERR_USAGE names the part that does not fit. */
int ref_parse(const char *text, struct ref *ret, struct err *err);

/* A channel's name given on the command line. */
int ref_channel(const char *text, char ret[CHANNEL_NAME_MAX], struct err *err);

/* The line in --passphrase-file; *ret_given says whether the option was there. The caller wipes it
 * with ref_wipe. */
int ref_passphrase(const struct cli *cli, char ret[PASSPHRASE_MAX], bool *ret_given,
                   struct err *err);
void ref_wipe(char secret[PASSPHRASE_MAX]);

/* A public half from a file with a TUF key object (`key show -o`): what people hand over. */
int ref_public_key(const char *path, struct key **ret, struct err *err);

/* The public half of whatever REF names: such a file, or all that signer_open takes. */
int ref_key(const char *ref, const char *passphrase, struct key **ret, struct err *err);

/* 0 where path is absent or an empty directory, ERR_EXISTS otherwise: nothing is ever overwritten.
 */
int ref_empty_dir(const char *path, struct err *err);

#endif
