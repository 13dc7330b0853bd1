-- 005: what a device's consumer said of itself in the tick figures_tick, so that a restart counts none of it twice.

ALTER TABLE device_channels ADD COLUMN figures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE device_channels ADD COLUMN figures_tick INTEGER NOT NULL DEFAULT -1;
