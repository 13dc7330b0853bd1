-- 001: everything that must outlive the process (server/store.h has the meaning of each column).
-- Append-only: a change is a new numbered file, never an edit of this one.

CREATE TABLE devices (
    id          TEXT PRIMARY KEY NOT NULL,
    grp         TEXT NOT NULL,
    token_id    TEXT,
    attempt     TEXT,
    machine     TEXT,
    os          TEXT,
    os_version  TEXT,
    arch        TEXT,
    label       TEXT,
    generation  INTEGER NOT NULL,
    enrolled_ms INTEGER NOT NULL,
    no_evidence INTEGER NOT NULL
) WITHOUT ROWID;

-- The last check-in of each device: rewritten every tick, so no second index and no rowid.
CREATE TABLE checkins (
    device      TEXT PRIMARY KEY NOT NULL,
    epoch       TEXT NOT NULL,
    number      INTEGER NOT NULL,
    at_ms       INTEGER NOT NULL,
    body_sha256 TEXT,
    answer      TEXT
) WITHOUT ROWID;

CREATE TABLE device_channels (
    device     TEXT NOT NULL,
    channel    TEXT NOT NULL,
    running    TEXT,
    hold       TEXT,
    ready      TEXT,
    ready_tick INTEGER NOT NULL,
    last_tick  INTEGER NOT NULL,
    PRIMARY KEY (device, channel)
) WITHOUT ROWID;

CREATE TABLE exposures (
    device  TEXT NOT NULL,
    digest  TEXT NOT NULL,
    channel TEXT NOT NULL,
    kind    TEXT NOT NULL,
    nonce   TEXT,
    at_ms   INTEGER NOT NULL,
    tick    INTEGER NOT NULL,
    stratum INTEGER NOT NULL,
    state   TEXT NOT NULL,
    acks    INTEGER NOT NULL,
    direct  INTEGER NOT NULL,
    PRIMARY KEY (device, digest)
) WITHOUT ROWID;

CREATE TABLE events (
    device  TEXT NOT NULL,
    id      TEXT NOT NULL,
    kind    TEXT NOT NULL,
    channel TEXT,
    digest  TEXT,
    cause   TEXT,
    detail  TEXT,
    blamed  INTEGER NOT NULL,
    at_ms   INTEGER NOT NULL,
    PRIMARY KEY (device, id)
);

CREATE TABLE releases (
    channel      TEXT NOT NULL,
    version      TEXT NOT NULL,
    digest       TEXT NOT NULL,
    manifest     TEXT NOT NULL,
    sequence     INTEGER NOT NULL,
    published_ms INTEGER NOT NULL,
    "by"         TEXT NOT NULL,
    PRIMARY KEY (channel, version),
    UNIQUE (channel, sequence)
);

CREATE TABLE metadata (
    name    TEXT PRIMARY KEY NOT NULL,
    data    BLOB NOT NULL,
    version INTEGER NOT NULL
);

CREATE TABLE rollouts (
    id              INTEGER PRIMARY KEY NOT NULL,
    channel         TEXT NOT NULL,
    digest          TEXT NOT NULL,
    version         TEXT NOT NULL,
    policy          TEXT NOT NULL,
    sequence        INTEGER NOT NULL,
    started_ms      INTEGER NOT NULL,
    elapsed_ms      INTEGER NOT NULL,
    tick            INTEGER NOT NULL,
    ended_ms        INTEGER NOT NULL,
    state           TEXT NOT NULL,
    "by"            TEXT,
    topology        TEXT,
    min_snapshot    INTEGER NOT NULL,
    halted_after_ms INTEGER NOT NULL
);

CREATE TABLE ticks (
    rollout  INTEGER NOT NULL,
    tick     INTEGER NOT NULL,
    at_ms    INTEGER NOT NULL,
    facts    TEXT NOT NULL,
    decision TEXT NOT NULL,
    PRIMARY KEY (rollout, tick)
);

CREATE TABLE audit (
    seq     INTEGER PRIMARY KEY NOT NULL,
    at_ms   INTEGER NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail  TEXT,
    prev    TEXT NOT NULL,
    hash    TEXT NOT NULL
);

CREATE TABLE operators (
    name         TEXT PRIMARY KEY NOT NULL,
    role         TEXT NOT NULL,
    token_sha256 TEXT NOT NULL,
    created_ms   INTEGER NOT NULL,
    revoked      INTEGER NOT NULL
);

CREATE TABLE enrolments (
    id           TEXT PRIMARY KEY NOT NULL,
    grp          TEXT NOT NULL,
    token_sha256 TEXT NOT NULL UNIQUE,
    uses_left    INTEGER NOT NULL,
    created_ms   INTEGER NOT NULL
);

CREATE TABLE recalls (
    channel TEXT NOT NULL,
    digest  TEXT NOT NULL,
    cohorts TEXT NOT NULL,
    at_ms   INTEGER NOT NULL,
    PRIMARY KEY (channel, digest)
);

CREATE TABLE approvals (
    channel TEXT NOT NULL,
    version TEXT NOT NULL,
    action  TEXT NOT NULL,
    "by"    TEXT NOT NULL,
    reason  TEXT,
    at_ms   INTEGER NOT NULL,
    open    INTEGER NOT NULL,
    PRIMARY KEY (channel, version, action)
);

CREATE TABLE settings (
    key   TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
);
