/* repo_opts: see repo_opts.h. */
#include "repository/repo_opts.h"

const struct cli_opt repo_get_opts[] = {
    {"o", "FILE", "file to write; must be new", true, false},
    {"root", "FILE", "trusted root, the newest or an older one", true, false},
    {0},
};

const struct cli_opt repo_change_opts[] = {
    {"o", "FILE", "file to write; must be new", true, false},
    {"role", "R", "root, targets, snapshot, timestamp; content-C or rollout of targets", true,
     false},
    {"add-key", "PUB", "public key to add, as 'key show' writes it", false, true},
    {"remove-key", "ID", "key to remove: its id, or the first 8 digits of it or more", false, true},
    {"threshold", "N", "signatures needed from now on", false, false},
    {"expires-days", "N", "days until it expires (as before)", false, false},
    {0},
};

const struct cli_opt repo_renew_opts[] = {
    {"o", "FILE", "file to write; must be new", true, false},
    {"expires-days", "N", "days until it expires (root 365, others 180)", false, false},
    {0},
};

const struct cli_opt repo_sign_opts[] = {
    {"key", "REF", "PEM file, pkcs11:URI of a token, or cmd:PATH of a program that signs", true,
     false},
    {"passphrase-file", "F", "file with the key's passphrase", false, false},
    {"root", "FILE", "the root that names who signs; for a root, the one before it", false, false},
    {"targets", "FILE", "the targets metadata that names who signs content", false, false},
    {"previous", "FILE", "the version before it, to tell what changes", false, false},
    {"yes", NULL, "sign without asking: all of it was read before", false, false},
    {0},
};

const struct cli_opt repo_view_opts[] = {
    {"root", "FILE", "the root that names who signs; for a root, the one before it", false, false},
    {"targets", "FILE", "the targets metadata that names who signs content", false, false},
    {"previous", "FILE", "the version before it, to tell what changes", false, false},
    {0},
};

const struct cli_opt repo_publish_opts[] = {
    {"root", "FILE", "trusted root: check that all is complete before anything is sent", false,
     false},
    {0},
};

const struct cli_opt channel_add_opts[] = {
    {"o", "FILE", "file to write; must be new", true, false},
    {"channel", "C", "its name", true, false},
    {"key", "PUB", "public key that signs its releases, as 'key show' writes it", true, true},
    {"threshold", "N", "signatures that a release needs (2)", false, false},
    {"expires-days", "N", "days until targets expires (as before)", false, false},
    {0},
};

const struct cli_opt repo_check_opts[] = {
    {"root", "FILE", "trusted root (else the repository's own first one is believed)", false,
     false},
    {"url", "URL", "a mirror: what holds metadata/, targets/ and blobs/ (else the server's /repo)",
     false, false},
    {"dir", "DIR", "the same as a folder", false, false},
    {"warn-days", "N", "warn so many days before what people sign expires (30)", false, false},
    {"blobs", NULL, "read and hash every file, not only ask for its length", false, false},
    {"strict", NULL, "exit 1 where there are warnings", false, false},
    {0},
};

const struct cli_opt repo_export_opts[] = {
    {"root", "FILE", "trusted root (else the one that DIR begins with)", false, false},
    {"url", "URL", "where it is taken from (else the server's /repo)", false, false},
    {0},
};
