-- The folder of the repository that is the app, as somebody has set it; empty: what its package.json says.

-- +goose Up
ALTER TABLE apps ADD COLUMN dir TEXT NOT NULL DEFAULT '';
