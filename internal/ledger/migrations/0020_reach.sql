-- Which ports of the host lead to which app's TCP ports: given by an operator, or taken by a push out of those that
-- every app may have. And which apps reach which others: the number of a link is never given twice, because it is the
-- address by which machines know the other app.

-- +goose Up
CREATE TABLE host_ports (
  host     INTEGER PRIMARY KEY CHECK (host BETWEEN 1 AND 65535),
  app      TEXT    NOT NULL REFERENCES apps (name) ON UPDATE CASCADE ON DELETE CASCADE,
  port     INTEGER NOT NULL CHECK (port BETWEEN 1024 AND 65535),
  by_range INTEGER NOT NULL CHECK (by_range IN (0, 1))
) STRICT;
CREATE INDEX host_ports_of_app ON host_ports (app);

CREATE TABLE links (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  app     TEXT    NOT NULL REFERENCES apps (name) ON UPDATE CASCADE ON DELETE CASCADE,
  target  TEXT    NOT NULL REFERENCES apps (name) ON UPDATE CASCADE ON DELETE CASCADE,
  name    TEXT    NOT NULL,
  var     TEXT    NOT NULL,
  by      TEXT    NOT NULL,
  created INTEGER NOT NULL,
  UNIQUE (app, target)
) STRICT;
CREATE INDEX links_to_target ON links (target);
