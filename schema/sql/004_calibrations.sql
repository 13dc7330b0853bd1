-- 004: calibrations (A/A): what was asked for, what came of it so far, and the finished rounds.

CREATE TABLE calibrations (
    id         INTEGER PRIMARY KEY NOT NULL,
    channel    TEXT NOT NULL,
    policy     TEXT NOT NULL,
    state      TEXT NOT NULL,
    why        TEXT NOT NULL,
    "by"       TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    ended_ms   INTEGER NOT NULL,
    options    TEXT NOT NULL,
    totals     TEXT NOT NULL
);

CREATE TABLE calibration_rounds (
    calibration INTEGER NOT NULL,
    round       INTEGER NOT NULL,
    at_ms       INTEGER NOT NULL,
    result      TEXT NOT NULL,
    PRIMARY KEY (calibration, round)
);
