/* state: its JSON form, from tables (schema/field.h). See FORMATS.md. */
#include <string.h>

#include "base/jsonx.h"
#include "field.h"
#include "state/state.h"
#include "text.h"

static const char *const phase_names[] = {
#define X(name, text) text,
    APPLY_PHASES(X)
#undef X
};

const char *apply_phase_name(enum apply_phase p)
{
    return phase_names[p];
}

static const struct field state_fields[] = {
    FIELD_BOOL(struct state, hold, "hold"),
    FIELD_INT(struct state, bank_s, "bank_s", 0, FIELD_INT_MAX),
    FIELD_INT(struct state, bank_awake_s, "bank_awake_s", 0, FIELD_INT_MAX),
    FIELD_TEXT_OR_NONE(struct state, bank_boot, "bank_boot", NULL),
    FIELD_TEXT_OR_NONE(struct state, dead_identity, "dead_identity", text_word_check),
    FIELD_INT(struct state, snapshot_version, "snapshot_version", 0, FIELD_INT_MAX),
    FIELD_INT(struct state, expires_s, "expires_s", 0, FIELD_INT_MAX),
    {0},
};

static const struct field boot_fields[] = {
    FIELD_TEXT_OR_NONE(struct state_boot, id, "id", NULL),
    FIELD_BOOL(struct state_boot, complete, "complete"),
    FIELD_BOOL(struct state_boot, orderly, "orderly"),
    FIELD_BOOL(struct state_boot, failed_last, "failed_last"),
    FIELD_INT(struct state_boot, failed_boots, "failed_boots", 0, FIELD_INT_MAX),
    FIELD_INT(struct state_boot, neutral_boots, "neutral_boots", 0, FIELD_INT_MAX),
    {0},
};

static const struct field channel_fields[] = {
    FIELD_TEXT(struct state_channel, name, "name", channel_name_check),
    FIELD_HEX_OR_NULL(struct state_channel, current, "current"),
    FIELD_HEX_OR_NULL(struct state_channel, good_run, "good_run"),
    FIELD_HEX_OR_NULL(struct state_channel, good_boot, "good_boot"),
    FIELD_HEX_OR_NULL(struct state_channel, at_boot, "at_boot"),
    {0},
};

static const struct field attempt_fields[] = {
    FIELD_HEX_OR_NULL(struct state_attempt, digest, "digest"),
    FIELD_TEXT_OR_NONE(struct state_attempt, boot_id, "boot_id", NULL),
    {0},
};

static const struct field pending_fields[] = {
    FIELD_HEX_OR_NULL(struct state_pending, digest, "digest"),
    FIELD_HEX_OR_NULL(struct state_pending, from, "from"),
    FIELD_TEXT_OR_NONE(struct state_pending, boot_id, "boot_id", NULL),
    FIELD_NAME(struct state_pending, phase, "phase", phase_names),
    FIELD_TEXT_OR_NONE(struct state_pending, cause, "cause", text_word_check),
    FIELD_BOOL(struct state_pending, blamed, "blamed"),
    {0},
};

static const struct field leave_fields[] = {
    FIELD_HEX_OR_NULL(struct state_leave, digest, "digest"),
    FIELD_TEXT_OR_NONE(struct state_leave, cause, "cause", text_word_check),
    {0},
};

/* Parts of their own, which a state that an older agent wrote does not have. */
static const struct field trust_fields[] = {
    FIELD_TEXT_OR_NONE(struct state, expires_role, "expires_role", text_word_check),
    FIELD_TEXT_OR_NONE(struct state, trouble.hold, "hold", text_word_check),
    FIELD_TEXT_OR_NONE(struct state, trouble.words, "words", NULL),
    FIELD_INT(struct state, server_ahead_s, "server_ahead_s", -FIELD_INT_MAX, FIELD_INT_MAX),
    {0},
};

static const struct field channel_trust_fields[] = {
    FIELD_INT(struct state_channel, lowest_sequence, "lowest_sequence", 0, FIELD_INT_MAX),
    FIELD_INT(struct state_channel, revoked_version, "revoked_version", 0, FIELD_INT_MAX),
    FIELD_HEX_OR_NULL(struct state_channel, unlisted[0], "unlisted_candidate"),
    FIELD_HEX_OR_NULL(struct state_channel, unlisted[1], "unlisted_baseline"),
    FIELD_TEXT_OR_NONE(struct state_channel, trouble.hold, "hold", text_word_check),
    FIELD_TEXT_OR_NONE(struct state_channel, trouble.words, "words", NULL),
    {0},
};

static const struct field revoked_fields[] = {
    FIELD_HEX(struct state_revoked, digest, "digest"),
    FIELD_TEXT_OR_NONE(struct state_revoked, reason, "reason", NULL),
    FIELD_BOOL(struct state_revoked, told, "told"),
    {0},
};

static const struct field release_fields[] = {
    FIELD_HEX(struct state_release, digest, "digest"),
    FIELD_TEXT_OR_NONE(struct state_release, version, "version", release_version_check),
    FIELD_INT(struct state_release, sequence, "sequence", 0, FIELD_INT_MAX),
    FIELD_INT(struct state_release, lowest_sequence, "lowest_sequence", 0, FIELD_INT_MAX),
    FIELD_BOOL(struct state_release, early_boot, "early_boot"),
    FIELD_INT(struct state_release, seen_s, "seen_s", 0, FIELD_INT_MAX),
    FIELD_INT(struct state_release, since_s, "since_s", 0, FIELD_INT_MAX),
    FIELD_INT(struct state_release, healthy_s, "healthy_s", 0, FIELD_INT_MAX),
    FIELD_INT(struct state_release, boots, "boots", 0, FIELD_INT_MAX),
    FIELD_INT(struct state_release, crashes, "crashes", 0, FIELD_INT_MAX),
    FIELD_INT(struct state_release, unblamed, "unblamed", 0, FIELD_INT_MAX),
    {0},
};

static const struct field quarantine_fields[] = {
    FIELD_HEX(struct state_quarantine, digest, "digest"),
    FIELD_TEXT(struct state_quarantine, cause, "cause", text_word_check),
    FIELD_BOOL(struct state_quarantine, blamed, "blamed"),
    FIELD_BOOL(struct state_quarantine, told, "told"),
    {0},
};

/* The object `key` of o into target by rows. */
static int read_part(const json_t *o, const char *key, const struct field *rows, void *target,
                     struct err *err)
{
    json_t *part;
    int r = jsonx_object(o, "state", key, &part, err);

    return r < 0 ? r : field_read(part, key, rows, target, err);
}

static int write_part(json_t *o, const char *key, const struct field *rows, const void *source,
                      struct err *err)
{
    json_t *part = json_object();
    int r = field_set(o, key, part, err);

    return r < 0 ? r : field_write(part, key, rows, source, err);
}

/* An array of objects into a fixed array of structs of `size` bytes. */
static int read_list(const json_t *o, const char *key, size_t max, const struct field *rows,
                     void *target, size_t size, size_t *ret_n, struct err *err)
{
    json_t *list, *item;
    size_t i;
    int r = jsonx_array(o, "state", key, max, &list, err);

    if (r < 0)
        return r;
    json_array_foreach (list, i, item) {
        r = field_read(item, key, rows, (char *)target + i * size, err);
        if (r < 0)
            return r;
    }
    *ret_n = json_array_size(list);
    return 0;
}

static int write_list(json_t *o, const char *key, const struct field *rows, const void *source,
                      size_t size, size_t n, struct err *err)
{
    json_t *list = json_array();
    int r = field_set(o, key, list, err);

    for (size_t i = 0; r == 0 && i < n; i++) {
        json_t *item = json_object();

        r = field_append(list, item, err);
        if (r == 0)
            r = field_write(item, key, rows, (const char *)source + i * size, err);
    }
    return r;
}

/* An agent that kept no such part knew its releases. */
static int64_t lowest_of_releases(const struct state_channel *c)
{
    int64_t lowest = 0;

    for (size_t i = 0; i < c->n_releases; i++)
        if (c->releases[i].lowest_sequence > lowest)
            lowest = c->releases[i].lowest_sequence;
    return lowest;
}

static int read_channel_trust(const json_t *o, struct state_channel *c, struct err *err)
{
    int r;

    if (!jsonx_has(o, "trust")) {
        c->lowest_sequence = lowest_of_releases(c);
        return 0;
    }
    r = read_part(o, "trust", channel_trust_fields, c, err);
    if (r == 0)
        r = read_list(o, "revoked", STATE_MAX_REVOKED, revoked_fields, c->revoked,
                      sizeof c->revoked[0], &c->n_revoked, err);
    return r;
}

static int write_channel_trust(json_t *o, const struct state_channel *c, struct err *err)
{
    int r = write_part(o, "trust", channel_trust_fields, c, err);

    return r < 0 ? r
                 : write_list(o, "revoked", revoked_fields, c->revoked, sizeof c->revoked[0],
                              c->n_revoked, err);
}

static int read_channel(const json_t *o, struct state_channel *c, struct err *err)
{
    int r = field_read(o, "channel", channel_fields, c, err);

    if (r == 0)
        r = read_part(o, "attempt", attempt_fields, &c->attempt, err);
    if (r == 0)
        r = read_part(o, "pending", pending_fields, &c->pending, err);
    if (r == 0)
        r = read_part(o, "leave", leave_fields, &c->leave, err);
    if (r == 0)
        r = read_list(o, "releases", STATE_MAX_RELEASES, release_fields, c->releases,
                      sizeof c->releases[0], &c->n_releases, err);
    if (r == 0)
        r = read_list(o, "quarantine", STATE_MAX_QUARANTINE, quarantine_fields, c->quarantine,
                      sizeof c->quarantine[0], &c->n_quarantine, err);
    if (r == 0)
        r = read_channel_trust(o, c, err);
    return r;
}

static int write_channel(json_t *o, const struct state_channel *c, struct err *err)
{
    int r = field_write(o, "channel", channel_fields, c, err);

    if (r == 0)
        r = write_part(o, "attempt", attempt_fields, &c->attempt, err);
    if (r == 0)
        r = write_part(o, "pending", pending_fields, &c->pending, err);
    if (r == 0)
        r = write_part(o, "leave", leave_fields, &c->leave, err);
    if (r == 0)
        r = write_list(o, "releases", release_fields, c->releases, sizeof c->releases[0],
                       c->n_releases, err);
    if (r == 0)
        r = write_list(o, "quarantine", quarantine_fields, c->quarantine, sizeof c->quarantine[0],
                       c->n_quarantine, err);
    if (r == 0)
        r = write_channel_trust(o, c, err);
    return r;
}

int state_parse(const char *data, size_t len, struct state *ret, struct err *err)
{
    json_auto_t *o = NULL;
    json_t *list, *item;
    size_t i;
    int r = jsonx_parse(data, len, SLOTS_JSON_MAX, &o, err);

    if (r == 0)
        r = field_read(o, "state", state_fields, ret, err);
    if (r == 0)
        r = read_part(o, "boot", boot_fields, &ret->boot, err);
    if (r == 0 && jsonx_has(o, "trust"))
        r = read_part(o, "trust", trust_fields, ret, err);
    if (r == 0)
        r = jsonx_array(o, "state", "channels", CHECKIN_MAX_CHANNELS, &list, err);
    if (r < 0)
        return r;
    json_array_foreach (list, i, item) {
        r = read_channel(item, &ret->channels[i], err);
        if (r < 0)
            return r;
    }
    ret->n_channels = json_array_size(list);
    return 0;
}

int state_dump(const struct state *s, struct buf *ret, struct err *err)
{
    json_auto_t *o = json_object();
    json_t *list = json_array();
    int r = field_set(o, "channels", list, err);

    if (r == 0)
        r = field_write(o, "state", state_fields, s, err);
    if (r == 0)
        r = write_part(o, "boot", boot_fields, &s->boot, err);
    if (r == 0)
        r = write_part(o, "trust", trust_fields, s, err);
    for (size_t i = 0; r == 0 && i < s->n_channels; i++) {
        json_t *item = json_object();

        r = field_append(list, item, err);
        if (r == 0)
            r = write_channel(item, &s->channels[i], err);
    }
    if (r == 0)
        r = field_dump(o, JSON_COMPACT | JSON_SORT_KEYS, "state", ret, err);
    return r;
}
