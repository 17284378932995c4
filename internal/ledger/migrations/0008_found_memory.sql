-- The memory with which an app started after it had run out of less; 0: that has not happened.

-- +goose Up
ALTER TABLE apps ADD COLUMN found_mib INTEGER NOT NULL DEFAULT 0 CHECK (found_mib >= 0);
