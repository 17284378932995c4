package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gitd/internal/deploy"
)

const keyColumns = `fingerprint, name, public, admin, added, last_used`

// AddKey stores k. The same key under the same name is updated, and keeps
// when it was added and used; under another name it is an error that names
// the owner.
func (l *Ledger) AddKey(ctx context.Context, k deploy.Key) error {
	return l.change(ctx, "add key "+k.Fingerprint, func(ctx context.Context, tx *sql.Tx) error {
		err := one(tx.ExecContext(ctx, `INSERT INTO keys (`+keyColumns+`) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (fingerprint) DO UPDATE SET public = excluded.public, admin = excluded.admin
			WHERE name = excluded.name`,
			k.Fingerprint, k.Name, k.Public, k.Admin, instant{k.Added}, instant{k.LastUsed}))
		if !errors.Is(err, deploy.ErrNotFound) {
			return err
		}
		var owner string
		if err := tx.QueryRowContext(ctx, `SELECT name FROM keys WHERE fingerprint = ?`, k.Fingerprint).Scan(&owner); err != nil {
			return err
		}
		return fmt.Errorf("it belongs to %q already; a key has one owner", owner)
	})
}

// Keys are sorted by name, then by when they were added.
func (l *Ledger) Keys(ctx context.Context) ([]deploy.Key, error) {
	return list(ctx, l.reader, "keys", scanKey, `SELECT `+keyColumns+` FROM keys ORDER BY name, added, fingerprint`)
}

// KeyUsed finds the key with this fingerprint and notes the time.
func (l *Ledger) KeyUsed(ctx context.Context, fingerprint string) (deploy.Key, error) {
	var k deploy.Key
	err := l.change(ctx, "key "+fingerprint, func(ctx context.Context, tx *sql.Tx) error {
		var err error
		k, err = scanKey(tx.QueryRowContext(ctx, `UPDATE keys SET last_used = ? WHERE fingerprint = ? RETURNING `+keyColumns,
			time.Now().UnixNano(), fingerprint))
		return notFound(err)
	})
	return k, err
}

func scanKey(row scanner) (deploy.Key, error) {
	var k deploy.Key
	var added, used instant
	err := row.Scan(&k.Fingerprint, &k.Name, &k.Public, &k.Admin, &added, &used)
	k.Added, k.LastUsed = added.Time, used.Time
	return k, err
}
