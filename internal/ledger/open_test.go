package ledger

import (
	"bytes"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger/ledgertest"
	"github.com/nodeos-dev/gitd/internal/people"
)

// TestDamage: a ledger that is not sound is refused at once, with what to do.
func TestDamage(t *testing.T) {
	tests := []struct {
		name   string
		damage func(content []byte) []byte
	}{
		{"not a database", func([]byte) []byte { return []byte(strings.Repeat("my shopping list\n", 500)) }},
		{"header overwritten", func(b []byte) []byte { return append(make([]byte, 100), b[100:]...) }},
		{"cut in the middle", func(b []byte) []byte { return b[:len(b)/2] }},
		{"a page of noise", func(b []byte) []byte { copy(b[4096:], bytes.Repeat([]byte{0xa5}, 4096)); return b }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filled(t)
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, tt.damage(content), 0o600); err != nil {
				t.Fatal(err)
			}
			l, err := Open(t.Context(), path)
			if err == nil {
				l.Close()
				t.Fatal("opened")
			}
			for _, want := range []string{path, "is damaged", "`gitd ledger:restore`", "`gitd ledger:adopt`"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

// filled is the path of a closed ledger of several pages.
func filled(t *testing.T) string {
	t.Helper()
	path := newPath(t)
	l, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if err := l.Record(t.Context(), core.Entry{Time: time.Now(), Action: "test", Detail: strings.Repeat("x", 500)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestNewer: after a downgrade gitd must not guess what a newer schema means.
func TestNewer(t *testing.T) {
	path := filled(t)
	raw(t, path, `INSERT INTO `+versionTable+` (version_id, is_applied) VALUES (9000, 1)`)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), path)
	if !errors.Is(err, errNewer) || !strings.Contains(err.Error(), "9000") {
		t.Fatalf("open: %v, want errNewer with its version", err)
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, after) {
		t.Error("a refused ledger was written to")
	}
}

// raw runs a statement on a ledger that is not open.
func raw(t *testing.T, path, stmt string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(stmt); err != nil {
		t.Fatal(err)
	}
}

// TestUpgradeFromVersion1 opens a ledger that the first release of gitd has
// written, as SQL in testdata. With each new migration it proves that nothing
// in it is lost.
func TestUpgradeFromVersion1(t *testing.T) {
	dump, err := os.ReadFile(filepath.Join("testdata", "version1.sql"))
	if err != nil {
		t.Fatal(err)
	}
	path := newPath(t)
	raw(t, path, string(dump))
	l := openAt(t, path)
	ctx := t.Context()

	app, err := l.App(ctx, "shop")
	if err != nil || app.Live != 2 || app.Branch != "main" {
		t.Errorf("app: %+v, %v", app, err)
	}
	r, err := l.Image(ctx, "shop", ledgertest.Commit("a"))
	if err != nil || r.Version != 1 || r.State != core.Retired || r.Manifest.Node != "22.23.1" || len(r.Steps) != 2 {
		t.Errorf("image: %+v, %v", r, err)
	}
	if r.Created.UnixNano() != 1767323045123456789 {
		t.Errorf("created: %d", r.Created.UnixNano())
	}
	if list, err := l.Unfinished(ctx); err != nil || len(list) != 1 || list[0].Version != 3 {
		t.Errorf("unfinished: %+v, %v", list, err)
	}
	if list, err := l.Machines(ctx); err != nil || len(list) != 1 || list[0].ID != "shop-v2-0a1b2c" {
		t.Errorf("machines: %+v, %v", list, err)
	}
	if list, err := l.Keys(ctx); err != nil || len(list) != 1 || list[0].Name != "alice" {
		t.Errorf("keys: %+v, %v", list, err)
	}
	if u, err := l.User(ctx, "alice"); err != nil || !u.Admin {
		t.Errorf("user: %+v, %v", u, err)
	}
	if list, err := l.Entries(ctx, "shop", 0); err != nil || len(list) != 2 {
		t.Errorf("entries: %+v, %v", list, err)
	}
}

// TestCloneRoleIsKept: who could fetch the source by the role view still can after the upgrade, and the other roles are
// what they were.
func TestCloneRoleIsKept(t *testing.T) {
	path := newPath(t)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))
	if err == nil {
		_, err = p.UpTo(t.Context(), 11)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	raw(t, path, `INSERT INTO users VALUES ('sam', 0, 1), ('ada', 1, 1);
		INSERT INTO grants VALUES ('sam', 'shop', 1), ('sam', 'blog', 2), ('sam', 'site', 3);
		INSERT INTO keys (fingerprint, name, public, only_app, only_role, added, last_from, allowed_from) VALUES
			('SHA256:limited', 'ada', 'x', 'shop', 1, 1, '', ''), ('SHA256:ci', 'ada', 'x', 'shop', 2, 1, '', ''),
			('SHA256:free', 'ada', 'x', '', 0, 1, '192.0.2.1', '192.0.2.0/24');
		INSERT INTO invitations VALUES ('`+strings.Repeat("a", 64)+`', 'eve', 0, 'shop', 1, 'ada', 1, 4000000000000000000)`)
	l := openAt(t, path)
	sam, err := l.User(t.Context(), "sam")
	if want := []people.Grant{{User: "sam", App: "blog", Role: core.RoleDeploy}, {User: "sam", App: "shop", Role: core.RoleClone}, {User: "sam", App: "site", Role: core.RoleAdmin}}; err != nil || !slices.Equal(sam.Grants, want) {
		t.Errorf("%+v, %v", sam, err)
	}
	for fingerprint, want := range map[string]core.Limit{
		"SHA256:limited": {App: "shop", Role: core.RoleClone}, "SHA256:ci": {App: "shop", Role: core.RoleDeploy}, "SHA256:free": {},
	} {
		if k, err := l.Key(t.Context(), fingerprint); err != nil || k.Limit != want || k.Name != "ada" {
			t.Errorf("%+v, %v", k, err)
		}
	}
	if k, err := l.Key(t.Context(), "SHA256:free"); err != nil || k.From != "192.0.2.0/24" || k.LastFrom != "192.0.2.1" {
		t.Errorf("%+v, %v", k, err)
	}
	if all, err := l.Invitations(t.Context()); err != nil || len(all) != 1 || all[0].Role != core.RoleClone {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestOpenFiles: what stands at the path before the first start.
func TestOpenFiles(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(path string) error
		want    string // in the error; empty: opens
	}{
		{"nothing", func(string) error { return nil }, ""},
		{"an empty file", func(p string) error { return os.WriteFile(p, nil, 0o644) }, ""},
		{"a folder", func(p string) error { return os.Mkdir(p, 0o700) }, "not a plain file"},
		{"a link", func(p string) error { return os.Symlink("/nonexistent/elsewhere", p) }, "not a plain file"},
		{"no folder around it", func(p string) error { return os.Remove(filepath.Dir(p)) }, "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "odd ?mode=memory&x=%2e#name", "gitd.db")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := tt.prepare(path); err != nil {
				t.Fatal(err)
			}
			l, err := Open(t.Context(), path)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("open: %v, want %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 || info.Size() == 0 {
				t.Errorf("file: %v, %v", info, err)
			}
		})
	}
}
