package server

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gossh "golang.org/x/crypto/ssh"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
)

func TestAppName(t *testing.T) {
	for path, want := range map[string]string{
		"shop": "shop", "/shop": "shop", "shop.git": "shop", "/shop.git": "shop", "/shop/": "shop",
	} {
		if got, err := appName([]string{"git-receive-pack", path}, command.Door{}); err != nil || got != want {
			t.Errorf("%q: %q, %v", path, got, err)
		}
	}
	for _, path := range []string{"", "/", ".git", "../shop", "/../shop", "shop/../x", "/etc/passwd", "a/b", "--upload-pack=x", "Shop", "shop\n", "shop .git", "~/shop"} {
		if got, err := appName([]string{"git-receive-pack", path}, command.Door{}); err == nil {
			t.Errorf("%q is accepted as %q", path, got)
		}
	}
	for _, words := range [][]string{{"git-receive-pack"}, {"git-receive-pack", "a", "b"}} {
		if _, err := appName(words, command.Door{}); err == nil || !strings.Contains(err.Error(), "ssh://") {
			t.Errorf("%q: %v", words, err)
		}
	}
}

// FuzzAppName: whatever a client names, an accepted name is one folder.
func FuzzAppName(f *testing.F) {
	for _, s := range []string{"shop", "/shop.git", "../../etc", "a/b", "--x", "shop\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		name, err := appName([]string{"git-upload-pack", path}, command.Door{})
		if err != nil {
			return
		}
		state := core.StateDir("/state")
		if !filepath.IsLocal(name) || filepath.Dir(state.Repo(name)) != "/state/repos" {
			t.Errorf("%q becomes %q", path, state.Repo(name))
		}
	})
}

func TestHostKeyIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	first, err := HostKey(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := HostKey(path)
	if err != nil || !bytes.Equal(first.PublicKey().Marshal(), again.PublicKey().Marshal()) {
		t.Errorf("the second start has another key: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := HostKey(path); err == nil || !strings.Contains(err.Error(), "restore it from a backup") {
		t.Errorf("a damaged key: %v", err)
	}
	if text, _ := os.ReadFile(path); string(text) != "damaged" {
		t.Error("a damaged key was replaced")
	}
}

// TestOtherHostKeys: each kind is made once, and is there at the next start.
func TestOtherHostKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "host_ed25519")
	first, err := OtherHostKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := OtherHostKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{gossh.KeyAlgoECDSA256, gossh.KeyAlgoRSA} {
		if got := first[i].PublicKey().Type(); got != want {
			t.Errorf("key %d is of type %s, want %s", i, got, want)
		}
		if !bytes.Equal(first[i].PublicKey().Marshal(), again[i].PublicKey().Marshal()) {
			t.Errorf("the second start has another %s", want)
		}
	}
	for _, name := range []string{"host_ecdsa", "host_rsa"} {
		if info, err := os.Stat(filepath.Join(filepath.Dir(path), name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVariable(t *testing.T) {
	env := []string{"LANG=C", "GIT_PROTOCOL=version=2", "GIT_PROTOCOL_X=1", "BROKEN"}
	if got := variable(env, "GIT_PROTOCOL"); got != "version=2" {
		t.Errorf("got %q", got)
	}
	if got := variable(env, "BROKEN"); got != "" {
		t.Errorf("got %q", got)
	}
}
