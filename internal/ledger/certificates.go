package ledger

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger/seal"
)

// certificateTable is the table of the certificates that people have set, whose private keys are sealed.
type certificateTable struct {
	db     *database
	sealer seal.Sealer
}

// sealedFor stands for the app in the place of a sealed key, which outlives a rename of the app. No app has this name.
const sealedFor = "-certificate"

// OwnCertificates are all that people have set, with their keys opened.
func (t certificateTable) OwnCertificates(ctx context.Context) ([]core.OwnCertificate, error) {
	return list(ctx, t.db.reader, "certificates", t.scan, `SELECT host, app, chain, sealed FROM certificates ORDER BY host`)
}

// SetOwnCertificate keeps c, in place of what was set for its host. It returns core.ErrNotFound if there is no such
// app.
func (t certificateTable) SetOwnCertificate(ctx context.Context, c core.OwnCertificate) error {
	sealed, err := t.sealer.Seal(c.Key, sealedFor, c.Host)
	if err != nil {
		return err
	}
	return t.db.change(ctx, fmt.Sprintf("set the certificate of %q", c.Host), func(ctx context.Context, tx *sql.Tx) error {
		return mustAffect(tx.ExecContext(ctx, `INSERT INTO certificates (host, app, chain, sealed) SELECT ?, name, ?, ? FROM apps WHERE name = ?
			ON CONFLICT (host) DO UPDATE SET app = excluded.app, chain = excluded.chain, sealed = excluded.sealed`, c.Host, c.Chain, sealed, c.App))
	})
}

// RemoveOwnCertificate forgets what was set for a host of app. It returns core.ErrNotFound if nothing was.
func (t certificateTable) RemoveOwnCertificate(ctx context.Context, app, host string) error {
	return t.db.change(ctx, fmt.Sprintf("remove the certificate of %q", host), func(ctx context.Context, tx *sql.Tx) error {
		return mustAffect(tx.ExecContext(ctx, `DELETE FROM certificates WHERE host = ? AND app = ?`, host, app))
	})
}

func (t certificateTable) scan(row scanner) (core.OwnCertificate, error) {
	var c core.OwnCertificate
	var sealed []byte
	if err := row.Scan(&c.Host, &c.App, &c.Chain, &sealed); err != nil {
		return c, err
	}
	var err error
	if c.Key, err = t.sealer.Open(sealed, sealedFor, c.Host); err != nil {
		err = fmt.Errorf("the certificate of %s: %w", c.Host, err)
	}
	return c, err
}
