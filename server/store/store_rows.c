/* store_rows: the columns of every kind of row. See store_rows.h. */
#include "store/store_rows.h"

#define TEXT(noun, field)                                                                          \
    {                                                                                              \
#field, COLUMN_TEXT, offsetof(struct row_##noun, field), 0                                 \
    }
#define INT(noun, field)                                                                           \
    {                                                                                              \
#field, COLUMN_INT, offsetof(struct row_##noun, field), 0                                  \
    }
#define BOOL(noun, field)                                                                          \
    {                                                                                              \
#field, COLUMN_BOOL, offsetof(struct row_##noun, field), 0                                 \
    }
#define BLOB(noun, field, len)                                                                     \
    {                                                                                              \
#field, COLUMN_BLOB, offsetof(struct row_##noun, field), offsetof(struct row_##noun, len)  \
    }

#define TABLE(noun, sql, keys)                                                                     \
    [STORE_##noun] = {.name = sql, .row_size = sizeof(struct row_##noun), .n_key = keys

/* clang-format off */
const struct store_table store_tables[STORE_N_NOUNS] = {
    TABLE(device, "devices", 1), .columns = {
        TEXT(device, id), TEXT(device, grp), TEXT(device, token_id), TEXT(device, attempt),
        TEXT(device, machine), TEXT(device, os), TEXT(device, os_version), TEXT(device, arch),
        TEXT(device, label), INT(device, generation), INT(device, enrolled_ms),
        BOOL(device, no_evidence)}},
    TABLE(checkin, "checkins", 1), .columns = {
        TEXT(checkin, device), TEXT(checkin, epoch), INT(checkin, number), INT(checkin, at_ms),
        TEXT(checkin, body_sha256), TEXT(checkin, answer)}},
    TABLE(device_channel, "device_channels", 2), .columns = {
        TEXT(device_channel, device), TEXT(device_channel, channel), TEXT(device_channel, running),
        TEXT(device_channel, hold), TEXT(device_channel, ready), INT(device_channel, ready_tick),
        INT(device_channel, last_tick), BOOL(device_channel, canary),
        INT(device_channel, marks), INT(device_channel, marks_from),
        INT(device_channel, crash_tick), INT(device_channel, reboot_tick),
        INT(device_channel, figures), INT(device_channel, figures_tick)}},
    TABLE(exposure, "exposures", 2), .columns = {
        TEXT(exposure, device), TEXT(exposure, digest), TEXT(exposure, channel),
        TEXT(exposure, kind), TEXT(exposure, nonce), INT(exposure, at_ms), INT(exposure, tick),
        INT(exposure, stratum), TEXT(exposure, state), INT(exposure, acks),
        BOOL(exposure, direct)}},
    TABLE(event, "events", 2), .columns = {
        TEXT(event, device), TEXT(event, id), TEXT(event, kind), TEXT(event, channel),
        TEXT(event, digest), TEXT(event, cause), TEXT(event, detail), BOOL(event, blamed),
        INT(event, at_ms)}},
    TABLE(release, "releases", 2), .append_only = true, .columns = {
        TEXT(release, channel), TEXT(release, version), TEXT(release, digest),
        TEXT(release, manifest), INT(release, sequence), INT(release, published_ms),
        TEXT(release, by)}},
    TABLE(metadata, "metadata", 1), .columns = {
        TEXT(metadata, name), BLOB(metadata, data, len), INT(metadata, version)}},
    TABLE(rollout, "rollouts", 1), .columns = {
        INT(rollout, id), TEXT(rollout, channel), TEXT(rollout, digest), TEXT(rollout, version),
        TEXT(rollout, policy), INT(rollout, sequence), INT(rollout, started_ms),
        INT(rollout, elapsed_ms), INT(rollout, tick), INT(rollout, ended_ms), TEXT(rollout, state),
        TEXT(rollout, by), TEXT(rollout, topology), INT(rollout, min_snapshot),
        INT(rollout, halted_after_ms)}},
    TABLE(tick, "ticks", 2), .columns = {
        INT(tick, rollout), INT(tick, tick), INT(tick, at_ms), TEXT(tick, facts),
        TEXT(tick, decision)}},
    TABLE(audit, "audit", 1), .append_only = true, .columns = {
        INT(audit, seq), INT(audit, at_ms), TEXT(audit, actor), TEXT(audit, action),
        TEXT(audit, subject), TEXT(audit, detail), TEXT(audit, prev), TEXT(audit, hash)}},
    TABLE(operator, "operators", 1), .columns = {
        TEXT(operator, name), TEXT(operator, role), TEXT(operator, token_sha256),
        INT(operator, created_ms), BOOL(operator, revoked)}},
    TABLE(enrolment, "enrolments", 1), .columns = {
        TEXT(enrolment, id), TEXT(enrolment, grp), TEXT(enrolment, token_sha256),
        INT(enrolment, uses_left), INT(enrolment, created_ms)}},
    TABLE(recall, "recalls", 2), .columns = {
        TEXT(recall, channel), TEXT(recall, digest), TEXT(recall, cohorts), INT(recall, at_ms)}},
    TABLE(approval, "approvals", 3), .columns = {
        TEXT(approval, channel), TEXT(approval, version), TEXT(approval, action),
        TEXT(approval, by), TEXT(approval, reason), INT(approval, at_ms), BOOL(approval, open)}},
    TABLE(setting, "settings", 1), .columns = {
        TEXT(setting, key), TEXT(setting, value)}},
    TABLE(calibration, "calibrations", 1), .columns = {
        INT(calibration, id), TEXT(calibration, channel), TEXT(calibration, policy),
        TEXT(calibration, state), TEXT(calibration, why), TEXT(calibration, by),
        INT(calibration, started_ms), INT(calibration, ended_ms), TEXT(calibration, options),
        TEXT(calibration, totals)}},
    TABLE(calibration_round, "calibration_rounds", 2), .columns = {
        INT(calibration_round, calibration), INT(calibration_round, round),
        INT(calibration_round, at_ms), TEXT(calibration_round, result)}},
};
/* clang-format on */
