package ledger

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger/ledgertest"
)

func TestConformance(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledgertest.Store { return openAt(t, newPath(t)) })
}

func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "gitd.db") }

func openAt(t testing.TB, path string) *Ledger {
	t.Helper()
	l, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// TestPromises: what the package comment says is what SQLite was told, on
// each kind of connection.
func TestPromises(t *testing.T) {
	l := openAt(t, newPath(t))
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000",
	} {
		var writer, reader string
		if err := l.writer.QueryRow("PRAGMA " + pragma).Scan(&writer); err != nil {
			t.Fatal(err)
		}
		if err := l.reader.QueryRow("PRAGMA " + pragma).Scan(&reader); err != nil {
			t.Fatal(err)
		}
		if writer != want || reader != want {
			t.Errorf("%s: writer %s, reader %s, want %s", pragma, writer, reader, want)
		}
	}
	if _, err := l.reader.Exec("DELETE FROM apps"); err == nil {
		t.Error("a reading connection can write")
	}
}

// TestConstraints: the schema holds what the code promises, for the day the
// code is wrong.
func TestConstraints(t *testing.T) {
	l := openAt(t, newPath(t))
	ctx := t.Context()
	if _, err := l.CreateApp(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	r, err := l.AddRelease(ctx, ledgertest.Draft("shop", ledgertest.Commit("a")))
	if err != nil {
		t.Fatal(err)
	}
	if err := promote(ctx, l, r); err != nil {
		t.Fatal(err)
	}
	if _, err := l.AddRelease(ctx, ledgertest.Draft("shop", ledgertest.Commit("b"))); err != nil {
		t.Fatal(err)
	}
	for _, stmt := range []string{
		`UPDATE releases SET state = 'live' WHERE version = 2`,
		`UPDATE releases SET state = 'lively'`,
		`UPDATE releases SET commit_id = 'main'`,
		`UPDATE releases SET commit_id = '` + strings.Repeat("A", 40) + `'`,
		`UPDATE releases SET manifest = '{'`,
		`UPDATE releases SET version = 0 WHERE version = 2`,
		`UPDATE releases SET app = 'nope'`,
		`UPDATE releases SET created = 'yesterday'`,
		`INSERT INTO apps (name, branch, created) VALUES ('../etc', '', 0)`,
		`UPDATE apps SET stopped = 2`,
		`INSERT INTO machines VALUES ('m', 'shop', 9, '', 0)`,
	} {
		if _, err := l.writer.Exec(stmt); err == nil {
			t.Errorf("allowed: %s", stmt)
		}
	}
}

// TestIndexes: the queries of a busy ledger read no whole table.
func TestIndexes(t *testing.T) {
	l := openAt(t, newPath(t))
	for query, index := range map[string]string{
		selectReleases + `WHERE app = 'a' ORDER BY version DESC LIMIT 9`:                                                                  "(app=?)",
		selectReleases + `WHERE app = 'a' AND commit_id = 'c' AND state IN ('live', 'draining', 'retired') ORDER BY version DESC LIMIT 1`: "releases_image (app=? AND commit_id=?)",
		selectReleases + `WHERE state IN ('building', 'built', 'booting', 'healthy', 'draining') ORDER BY app, version`:                   "releases_unfinished",
		selectReleases + `WHERE state = 'live' ORDER BY app`:                                                                              "releases_live",
		selectApps + `WHERE name = 'a'`: "releases_live (app=?)",
		`SELECT time, app, actor, action, detail FROM entries WHERE app = 'a' ORDER BY id DESC LIMIT 9`: "entries_app (app=?)",
	} {
		plan := explainQuery(t, l, query)
		if !strings.Contains(plan, index) || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s\nplan %s\nwant %s without a sort", query, plan, index)
		}
	}
}

// promote takes a release that is building to live.
func promote(ctx context.Context, l *Ledger, r core.Release) error {
	for _, next := range []core.State{core.Built, core.Booting, core.Healthy} {
		r.State = next
		if err := l.SaveRelease(ctx, r); err != nil {
			return err
		}
	}
	return l.Promote(ctx, r)
}

func explainQuery(t *testing.T, l *Ledger, query string) string {
	t.Helper()
	rows, err := l.reader.Query("EXPLAIN QUERY PLAN " + query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "; ")
}

// TestWaitingWriterLeaves: a context ends the wait for another writer.
func TestWaitingWriterLeaves(t *testing.T) {
	l := openAt(t, newPath(t))
	tx, err := l.writer.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := l.Record(ctx, core.Entry{Time: time.Now(), Action: "x"}); err == nil {
		t.Error("written beside another writer")
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := l.Record(t.Context(), core.Entry{Time: time.Now(), Action: "x"}); err != nil {
		t.Error(err)
	}
}

func TestFileMode(t *testing.T) {
	path := newPath(t)
	l := openAt(t, path)
	if _, err := l.CreateApp(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", filepath.Base(p), info.Mode().Perm())
		}
	}
}

// BenchmarkDeploy is what one push costs the ledger: a new release, then each
// of its steps. Each is a transaction that waits for the disk.
func BenchmarkDeploy(b *testing.B) {
	l := openAt(b, newPath(b))
	if _, err := l.CreateApp(b.Context(), "shop"); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r, err := l.AddRelease(b.Context(), ledgertest.Draft("shop", ledgertest.Commit("a")))
		if err != nil {
			b.Fatal(err)
		}
		r.Finished = time.Now()
		if err := promote(b.Context(), l, r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkApp is the look-up of one app among a thousand.
func BenchmarkApp(b *testing.B) {
	l := openAt(b, newPath(b))
	if _, err := l.CreateApp(b.Context(), "shop"); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := l.App(b.Context(), "shop"); err != nil {
			b.Fatal(err)
		}
	}
}
