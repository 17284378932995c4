package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/people"
)

// keyTable is the table of the keys that may log in.
type keyTable struct{ db *database }

const (
	keyColumns = `fingerprint, name, public, only_app, only_role, added, expires, last_used, last_from, allowed_from`
	selectKeys = `SELECT ` + keyColumns + ` FROM keys `
)

// AddKey stores k, and its owner where there is none yet. The same key under
// the same name is updated, and keeps when it was added and used; under
// another name it is an error that names the owner.
func (t keyTable) AddKey(ctx context.Context, k people.Key, admin bool, entry func(owner people.User) core.Entry) error {
	return t.db.change(ctx, "add key "+k.Fingerprint, func(ctx context.Context, tx *sql.Tx) error {
		if err := addKey(ctx, tx, k, admin); err != nil {
			return err
		}
		owner, err := findUser(ctx, tx, k.Name)
		if err != nil {
			return err
		}
		return audit(ctx, tx, entry(owner))
	})
}

func addKey(ctx context.Context, tx *sql.Tx, k people.Key, admin bool) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO users (name, admin, added) VALUES (?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET admin = max(admin, excluded.admin)`, k.Name, admin, instant{k.Added})
	if err != nil {
		return err
	}
	err = mustAffect(tx.ExecContext(ctx, `INSERT INTO keys (`+keyColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (fingerprint) DO UPDATE SET public = excluded.public, only_app = excluded.only_app,
		  only_role = excluded.only_role, expires = excluded.expires, allowed_from = excluded.allowed_from
		WHERE name = excluded.name`,
		k.Fingerprint, k.Name, k.Public, k.Limit.App, int(k.Limit.Role), instant{k.Added}, instant{k.Expires}, instant{k.LastUsed}, k.LastFrom, k.From))
	if !errors.Is(err, core.ErrNotFound) {
		return err
	}
	owner, err := scanKey(tx.QueryRowContext(ctx, selectKeys+`WHERE fingerprint = ?`, k.Fingerprint))
	if err != nil {
		return err
	}
	return fmt.Errorf("it belongs to %q already: %w", owner.Name, people.ErrKeyTaken)
}

// Keys are sorted by name, then by when they were added.
func (t keyTable) Keys(ctx context.Context) ([]people.Key, error) {
	return list(ctx, t.db.reader, "keys", scanKey, selectKeys+`ORDER BY name, added, fingerprint`)
}

// Key finds a key by its fingerprint.
func (t keyTable) Key(ctx context.Context, fingerprint string) (people.Key, error) {
	k, err := scanKey(t.db.reader.QueryRowContext(ctx, selectKeys+`WHERE fingerprint = ?`, fingerprint))
	if err != nil {
		return people.Key{}, fmt.Errorf("key %q: %w", fingerprint, notFound(err))
	}
	return k, nil
}

// KeyUsed finds who the key with this fingerprint is, and notes the time and
// from where. An expired key is ErrNotFound.
func (t keyTable) KeyUsed(ctx context.Context, fingerprint, from string) (core.Actor, error) {
	var a core.Actor
	err := t.db.change(ctx, "key "+fingerprint, func(ctx context.Context, tx *sql.Tx) error {
		now := time.Now().UnixNano()
		k, err := scanKey(tx.QueryRowContext(ctx, `UPDATE keys SET last_used = ?, last_from = ?
			WHERE fingerprint = ? AND (expires IS NULL OR expires > ?) RETURNING `+keyColumns, now, from, fingerprint, now))
		if err != nil {
			return notFound(err)
		}
		u, err := findUser(ctx, tx, k.Name)
		a = u.Actor(k)
		return err
	})
	return a, err
}

// RemoveKey removes a key.
func (t keyTable) RemoveKey(ctx context.Context, fingerprint string, e core.Entry) error {
	return t.db.audited(ctx, "remove key "+fingerprint, e, func(ctx context.Context, tx *sql.Tx) error {
		return keepAdmin(ctx, tx, func() error {
			return mustAffect(tx.ExecContext(ctx, `DELETE FROM keys WHERE fingerprint = ?`, fingerprint))
		})
	})
}

func scanKey(row scanner) (people.Key, error) {
	var k people.Key
	var role int
	var added, expires, used instant
	err := row.Scan(&k.Fingerprint, &k.Name, &k.Public, &k.Limit.App, &role, &added, &expires, &used, &k.LastFrom, &k.From)
	k.Limit.Role = core.Role(role)
	k.Added, k.Expires, k.LastUsed = added.Time, expires.Time, used.Time
	return k, err
}
