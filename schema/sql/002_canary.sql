-- 002: canaries by their owner's configuration are known over a restart, before they are heard again.

ALTER TABLE device_channels ADD COLUMN canary INTEGER NOT NULL DEFAULT 0;
