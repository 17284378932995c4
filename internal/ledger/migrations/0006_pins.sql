-- A pinned release's image is kept whatever comes after it.

-- +goose Up
ALTER TABLE releases ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0 CHECK (pinned IN (0, 1));
