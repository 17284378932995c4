package ledger

import (
	"context"
	"database/sql"

	"github.com/nodeos-dev/gitd/internal/core"
)

// toolTable is the table of the digests of Node and of the package managers.
type toolTable struct{ db *database }

const toolColumns = `name, version, digest, registry, signed, agreed, taken, by`

// Tools are sorted by name, those of one name by when they were taken.
func (t toolTable) Tools(ctx context.Context) ([]core.Tool, error) {
	return list(ctx, t.db.reader, "tools", scanTool, `SELECT `+toolColumns+` FROM tools ORDER BY name, taken, version`)
}

// AddTool stores a tool and records it in the audit, if none of its name and version is stored. It returns the one that
// is.
func (t toolTable) AddTool(ctx context.Context, tool core.Tool, e core.Entry) (kept core.Tool, err error) {
	err = t.db.change(ctx, "add "+tool.Name+" "+tool.Version, func(ctx context.Context, tx *sql.Tx) error {
		res, err := saveTool(ctx, tx, tool, `ON CONFLICT (name, version) DO NOTHING`)
		if err != nil {
			return err
		}
		if mustAffect(res, nil) == nil {
			kept = tool
			return audit(ctx, tx, e)
		}
		kept, err = scanTool(tx.QueryRowContext(ctx, `SELECT `+toolColumns+` FROM tools WHERE name = ? AND version = ?`, tool.Name, tool.Version))
		return err
	})
	return kept, err
}

// AcceptTool stores a tool in place of the one that has its name and version.
func (t toolTable) AcceptTool(ctx context.Context, tool core.Tool, e core.Entry) error {
	return t.db.audited(ctx, "accept "+tool.Name+" "+tool.Version, e, func(ctx context.Context, tx *sql.Tx) error {
		_, err := saveTool(ctx, tx, tool, `ON CONFLICT (name, version) DO UPDATE SET digest = excluded.digest,
			registry = excluded.registry, signed = excluded.signed, agreed = excluded.agreed, taken = excluded.taken, by = excluded.by`)
		return err
	})
}

func saveTool(ctx context.Context, tx *sql.Tx, t core.Tool, conflict string) (sql.Result, error) {
	return tx.ExecContext(ctx, `INSERT INTO tools (`+toolColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?) `+conflict,
		t.Name, t.Version, t.Digest, t.Registry, t.Signed, t.Agreed, instant{t.Taken}, t.By)
}

func scanTool(row scanner) (core.Tool, error) {
	var t core.Tool
	var taken instant
	err := row.Scan(&t.Name, &t.Version, &t.Digest, &t.Registry, &t.Signed, &t.Agreed, &taken, &t.By)
	t.Taken = taken.Time
	return t, err
}
