package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/nodeos-dev/gitd/internal/ledger/seal"
)

// ErrNoKey says that the ledger holds sealed values, and that their key is not there.
var ErrNoKey = errors.New("the key file is missing")

type keyMissing struct{ path string }

func (keyMissing) Unwrap() error { return ErrNoKey }

func (e keyMissing) Error() string {
	return fmt.Sprintf("the ledger holds sealed values (config, keys of certificates, receivers), and their key file %s is missing: put it back from your backup, with mode 0600; "+
		"without it the values are lost, and `DELETE FROM vars; DELETE FROM certificates; DELETE FROM drains; DELETE FROM webhooks` in the ledger starts without them", e.path)
}

// openSealer reads the key file, or makes it when nothing was ever sealed.
func openSealer(ctx context.Context, db querier, path string) (seal.Sealer, error) {
	sealed, app, name, err := anySealed(ctx, db)
	if err != nil {
		return seal.Sealer{}, err
	}
	key, err := seal.ReadKey(path)
	if errors.Is(err, fs.ErrNotExist) && sealed == nil {
		key, err = seal.MakeKey(path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return seal.Sealer{}, keyMissing{path}
	case err != nil:
		return seal.Sealer{}, err
	}
	s, err := seal.New(key)
	if err != nil {
		return seal.Sealer{}, err
	}
	if sealed == nil {
		return s, nil
	}
	if _, err := s.Open(sealed, app, name); err != nil {
		return seal.Sealer{}, fmt.Errorf("%s is not the key that the ledger's config values were sealed with: put that one back from your backup", path)
	}
	return s, nil
}

// anySealed returns one sealed value, or nil when there is none.
func anySealed(ctx context.Context, db querier) (sealed []byte, app, name string, err error) {
	err = db.QueryRowContext(ctx, `SELECT sealed, app, name FROM vars
		UNION ALL SELECT sealed, '`+sealedFor+`', host FROM certificates
		UNION ALL SELECT sealed, '`+sealedDrains+`', id FROM drains
		UNION ALL SELECT sealed, '`+sealedHooks+`', id FROM webhooks LIMIT 1`).Scan(&sealed, &app, &name)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return sealed, app, name, err
}
