package ledger

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// TestOwnCertificates: a certificate belongs to a host of an app. It survives the app's new name, and goes with the
// host or the app; its key is nowhere in the file.
func TestOwnCertificates(t *testing.T) {
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "gitd.db")
	l, err := Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const secret = "-----BEGIN PRIVATE KEY-----\nhunter2"
	for _, app := range []string{"shop", "blog"} {
		_, err := l.CreateApp(ctx, app)
		must(err)
	}
	set := func(app, host, chain string) error {
		return l.SetOwnCertificate(ctx, core.OwnCertificate{App: app, Host: host, Chain: chain, Key: secret})
	}
	must(l.AddDomain(ctx, "shop", "www.shop.example"))
	must(set("shop", "www.shop.example", "old"))
	must(set("shop", "www.shop.example", "chain"))
	must(set("blog", "blog.localhost", "chain"))
	if err := set("nobody", "x.example", "chain"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("for no app: %v", err)
	}
	want := func(want ...core.OwnCertificate) {
		t.Helper()
		got, err := l.OwnCertificates(ctx)
		must(err)
		if len(got) != len(want) {
			t.Fatalf("%v, want %v", got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%v, want %v", got[i], want[i])
			}
		}
	}
	if deleted, err := l.DeleteBareApp(ctx, "blog"); err != nil || deleted {
		t.Errorf("an app with a certificate is bare: %v", err)
	}
	must(l.RenameApp(ctx, "shop", "store"))
	want(core.OwnCertificate{App: "blog", Host: "blog.localhost", Chain: "chain", Key: secret},
		core.OwnCertificate{App: "store", Host: "www.shop.example", Chain: "chain", Key: secret})
	if err := l.RemoveOwnCertificate(ctx, "store", "blog.localhost"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("another app's certificate was removed: %v", err)
	}
	must(l.DeleteApp(ctx, "blog"))
	must(l.RemoveDomain(ctx, "store", "www.shop.example"))
	want()
	must(set("store", "store.localhost", "chain"))
	must(l.Close())
	for _, file := range []string{path, path + "-wal"} {
		if text, err := os.ReadFile(file); err == nil && bytes.Contains(text, []byte("hunter2")) {
			t.Errorf("%s has the key", file)
		}
	}
	// Without the key file the ledger does not begin to seal with another one.
	must(os.Rename(path+".key", path+".away"))
	if l, err := Open(ctx, path); err == nil {
		l.Close()
		t.Error("a ledger with a sealed certificate was opened without its key")
	}
}
