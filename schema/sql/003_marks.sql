-- 003: which first events of a rollout a device has had, so that a restart counts none of them twice.

ALTER TABLE device_channels ADD COLUMN marks INTEGER NOT NULL DEFAULT 0;
ALTER TABLE device_channels ADD COLUMN marks_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE device_channels ADD COLUMN crash_tick INTEGER NOT NULL DEFAULT -1;
ALTER TABLE device_channels ADD COLUMN reboot_tick INTEGER NOT NULL DEFAULT -1;
