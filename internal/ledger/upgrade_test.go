package ledger

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/nodeos-dev/gitd/internal/ledger/copies"
)

// atSchema is the path of a ledger as a gitd has left it whose newest schema was this one: the migrations are those of
// then, since one that was released is never edited.
func atSchema(t *testing.T, schema int64) string {
	t.Helper()
	path := newPath(t)
	db, err := sql.Open("sqlite", "file:"+path+"?_journal_mode=WAL")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p, err := migrator(db)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), schema); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`INSERT INTO apps (name, branch, created) VALUES ('shop', 'main', 1)`); err != nil {
		t.Fatal(err)
	}
	return path
}

// newest is the newest schema that this program knows.
func newest(t *testing.T) int64 {
	t.Helper()
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	n, err := goose.NumericComponent(filepath.Base(files[len(files)-1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestUpgradeFromEach: a ledger of each schema that ever was is copied and upgraded, and going back to the copy gives
// the ledger from before.
func TestUpgradeFromEach(t *testing.T) {
	for from := int64(1); from < newest(t); from++ {
		t.Run(fmt.Sprint(from), func(t *testing.T) {
			path := atSchema(t, from)
			before, err := Rehearse(t.Context(), path)
			if err != nil || before != (Change{from, newest(t)}) {
				t.Fatalf("rehearsed: %+v, %v", before, err)
			}
			if all, err := os.ReadDir(copies.Folder(path)); err != nil || len(all) > 0 {
				t.Errorf("a rehearsal leaves %v, %v", all, err)
			}
			l := openAt(t, path)
			if got := appNames(t, l.Upgraded.Copy.Path); l.Upgraded.Change != before || got != "shop" {
				t.Errorf("upgraded: %+v, with %s", l.Upgraded, got)
			}
			if want := fmt.Sprintf("before-%d-", from); !strings.HasPrefix(l.Upgraded.Copy.Name(), want) {
				t.Errorf("the copy is %s", l.Upgraded.Copy.Path)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if got := appNames(t, path); got != "shop" {
				t.Errorf("apps: %s", got)
			}
		})
	}
}

// TestNewLedgerIsNotCopied: there is nothing to go back to.
func TestNewLedgerIsNotCopied(t *testing.T) {
	path := newPath(t)
	if c, err := Rehearse(t.Context(), path); err != nil || c != (Change{}) {
		t.Errorf("%+v, %v", c, err)
	}
	openAt(t, path)
	if all, err := copies.Before(path); err != nil || len(all) > 0 {
		t.Errorf("%v, %v", all, err)
	}
}

// TestNewerSaysWhatToDo: who made the ledger, and which copy a person can go back to. The copy is in its place after
// Revert, and what was there is not thrown away.
func TestNewerSaysWhatToDo(t *testing.T) {
	path := filled(t)
	l := openAt(t, path)
	want := newest(t)
	if err := l.Wrote(t.Context(), "v1.4.0"); err != nil {
		t.Fatal(err)
	}
	c, err := l.copyBefore(t.Context(), want) // as the newer gitd makes it
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	raw(t, path, `INSERT INTO `+versionTable+` (version_id, is_applied) VALUES (9000, 1)`)
	raw(t, path, `INSERT INTO gitds VALUES ('v2.0.0', 9000, 1)`)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() error{
		"open":      func() error { _, err := Open(t.Context(), path); return err },
		"rehearsal": func() error { _, err := Rehearse(t.Context(), path); return err },
	} {
		err := open()
		for _, text := range []string{"gitd v2.0.0", "9000", "install gitd v2.0.0 again", "`gitd ledger:restore " + c.Name() + "`", c.Path} {
			if !errors.Is(err, errNewer) || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v, which does not say %q", name, err, text)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than one line: %q", name, err)
		}
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("a refused ledger was written to: %v", err)
	}
	if reverted, err := Revert(t.Context(), path); err != nil || !reverted {
		t.Fatalf("%v, %v", reverted, err)
	}
	openAt(t, path)
	if reverted, err := Revert(t.Context(), path); err != nil || reverted {
		t.Errorf("there was nothing to revert: %v, %v", reverted, err)
	}
}

// TestFewUpgradeCopies: of the copies before upgrades, the newest stay.
func TestFewUpgradeCopies(t *testing.T) {
	l := openAt(t, newPath(t))
	dir := copies.Folder(l.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 7 {
		name := filepath.Base(copies.BeforeAt(l.path, int64(i+1), time.Date(2026, 1, i+1, 0, 0, 0, 0, time.UTC)).Path)
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := l.copyBefore(t.Context(), 8)
	if err != nil {
		t.Fatal(err)
	}
	all, err := copies.Before(l.path)
	if err != nil || len(all) != 5 || all[0].Path != c.Path || !strings.HasPrefix(all[4].Name(), "before-4-") {
		t.Errorf("%v, %v", all, err)
	}
	if dated, err := copies.Dated(l.path); err != nil || len(dated) > 0 {
		t.Errorf("they are taken for dated ones: %v, %v", dated, err)
	}
}
