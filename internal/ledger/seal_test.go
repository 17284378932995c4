package ledger

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger/seal"
)

const secret = "correct-horse-battery-staple"

// sealedIn is the path of a ledger, not open, in which shop has a secret.
func sealedIn(t *testing.T) string {
	t.Helper()
	path := newPath(t)
	l, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, app := range []string{"shop", "blog"} {
		if _, err := l.CreateApp(t.Context(), app); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.SetVars(t.Context(), "shop", core.VarChange{Set: map[string]string{"TOKEN": secret, "OTHER": "x"}}); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCopiedDatabaseRevealsNothing: whoever gets the database and its log,
// even while gitd runs, gets no value.
func TestCopiedDatabaseRevealsNothing(t *testing.T) {
	path := newPath(t)
	l := openAt(t, path)
	if _, err := l.CreateApp(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{secret + "1", secret + "2"} { // an overwritten value is a secret too
		if err := l.SetVars(t.Context(), "shop", core.VarChange{Set: map[string]string{"TOKEN": value}}); err != nil {
			t.Fatal(err)
		}
	}
	names := false
	for _, suffix := range []string{"", "-wal", "-shm"} {
		content, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		names = names || bytes.Contains(content, []byte("TOKEN"))
		if bytes.Contains(content, []byte(secret)) {
			t.Errorf("gitd.db%s holds the value in the clear", suffix)
		}
	}
	if !names {
		t.Error("the files hold no name either: this test looks at the wrong ones")
	}
	copied := filepath.Join(t.TempDir(), "gitd.db")
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(path + suffix)
		if err == nil {
			err = os.WriteFile(copied+suffix, content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if l, err := Open(t.Context(), copied); err == nil {
		l.Close()
		t.Error("the copy opens without its key file")
	}
}

// TestMovedValueDoesNotOpen: who can write to the database, but has no key,
// cannot have one app's secret handed to another app, nor under another name.
func TestMovedValueDoesNotOpen(t *testing.T) {
	for name, stmt := range map[string]string{
		"to another app":  `INSERT INTO vars (app, name, sealed) SELECT 'blog', name, sealed FROM vars WHERE name = 'TOKEN'`,
		"to another name": `UPDATE vars SET sealed = (SELECT sealed FROM vars WHERE name = 'TOKEN') WHERE name = 'OTHER'`,
		"changed":         `UPDATE vars SET sealed = zeroblob(60)`,
		"cut":             `UPDATE vars SET sealed = x'00'`,
	} {
		t.Run(name, func(t *testing.T) {
			l := openAt(t, sealedIn(t))
			if _, err := l.writer.Exec(stmt); err != nil {
				t.Fatal(err)
			}
			opened := 0
			for _, app := range []string{"shop", "blog"} {
				vars, err := l.Vars(t.Context(), app)
				if err == nil && len(vars) > 0 {
					opened++
				}
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("the error tells it: %v", err)
				}
			}
			if want := map[bool]int{true: 1, false: 0}[name == "to another app"]; opened != want {
				t.Errorf("%d apps have config, want %d", opened, want)
			}
		})
	}
}

// TestRenamedApp: the values go with the app, and open under its new name
// only.
func TestRenamedApp(t *testing.T) {
	l := openAt(t, sealedIn(t))
	ctx := t.Context()
	err := l.change(ctx, "rename", func(ctx context.Context, tx *sql.Tx) error {
		return l.varTable.move(ctx, tx, "shop", "store", func() error {
			_, err := tx.ExecContext(ctx, `UPDATE apps SET name = 'store' WHERE name = 'shop'`)
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if vars, err := l.Vars(ctx, "store"); err != nil || vars["TOKEN"] != secret || len(vars) != 2 {
		t.Errorf("under the new name: %d, %v", len(vars), err)
	}
	if _, err := l.Vars(ctx, "shop"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("under the old name: %v", err)
	}
}

// TestKeyFile: without the right key, kept as it must be, gitd does not start.
func TestKeyFile(t *testing.T) {
	tests := []struct {
		name   string
		damage func(key string) error
		want   string // in the error; empty: it opens
	}{
		{"as it was left", func(string) error { return nil }, ""},
		{"missing", os.Remove, "is missing: put it back"},
		{"readable by a group", func(k string) error { return os.Chmod(k, 0o640) }, "chmod 600"},
		{"empty", func(k string) error { return os.Truncate(k, 0) }, "holds no key"},
		{"another key", func(k string) error {
			_, err := seal.MakeKey(k)
			return err
		}, "is not the key"},
		{"a link", func(k string) error {
			if err := os.Rename(k, k+".moved"); err != nil {
				return err
			}
			return os.Symlink(k+".moved", k)
		}, "not a plain file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := sealedIn(t)
			if err := tt.damage(path + ".key"); err != nil {
				t.Fatal(err)
			}
			l, err := Open(t.Context(), path)
			if err == nil {
				defer l.Close()
				if vars, err := l.Vars(t.Context(), "shop"); err != nil || vars["TOKEN"] != secret {
					t.Errorf("%d values, %v", len(vars), err)
				}
			}
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("open: %v, want %q", err, tt.want)
			}
		})
	}
}

// TestKeyFileIsMade: at the first start, for its owner only; and again when
// there is nothing that the lost one would open.
func TestKeyFileIsMade(t *testing.T) {
	path := newPath(t)
	for range 2 {
		l, err := Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path + ".key"); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path + ".key"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRemovedAppTakesItsSettings: nothing of it is left for a later app of
// the same name.
func TestRemovedAppTakesItsSettings(t *testing.T) {
	l := openAt(t, sealedIn(t))
	if err := l.AddDomain(t.Context(), "shop", "example.org"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.writer.Exec(`DELETE FROM apps WHERE name = 'shop'`); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"vars", "domains", "overrides"} {
		var n int
		if err := l.writer.QueryRow(`SELECT count(*) FROM ` + table).Scan(&n); err != nil && err != sql.ErrNoRows || n != 0 {
			t.Errorf("%s: %d rows, %v", table, n, err)
		}
	}
}
