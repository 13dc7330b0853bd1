/*
 * layout: where things lie below the state directory (DESIGN section 5). The state directory's name
 * is bounded when the configuration is read, and every other part by its own format, so that a path
 * always fits.
 */
#ifndef FIREBREAK_CLIENT_LAYOUT_H
#define FIREBREAK_CLIENT_LAYOUT_H

#define LAYOUT_ROOT_MAX 384 /* longest state_dir */
#define LAYOUT_PATH_MAX 1280

struct path {
    char s[LAYOUT_PATH_MAX];
};

/* Fill p and return its text, so that it can stand where a path is wanted:
 * file_exists(layout_at(&p, dir, "channels/%s/current", channel)). */
const char *layout_at(struct path *p, const char *state_dir, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Names with one fixed form. */
#define LAYOUT_IDENTITY    "identity.json"
#define LAYOUT_ATTEMPT     "enrol-attempt"
#define LAYOUT_INCOMING    "incoming"
#define LAYOUT_SPOOL       "spool"
#define LAYOUT_STATE       "state"
#define LAYOUT_RUN_LOCK    "run.lock"    /* one resident agent */
#define LAYOUT_APPLY_LOCK  "apply.lock"  /* whoever moves links */
#define LAYOUT_UPDATE_LOCK "update.lock" /* one transaction on state or spool */

/* True where the directory already holds a device: then its state slots must exist too. */
int layout_is_inhabited(const char *state_dir);

#endif
