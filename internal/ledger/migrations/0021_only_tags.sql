-- Whether a push of the deploy branch is refused, so that tags alone deploy.

-- +goose Up
ALTER TABLE apps ADD COLUMN only_tags INTEGER NOT NULL DEFAULT 0;
