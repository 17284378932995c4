package repo

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/walls"
)

// taken is what stands in the place of git: a program that has been taken over by an object of a push. It tries each
// path in $1 and says what it got.
const taken = `#!/bin/sh
[ "$1" != --exec-path ] || { echo /usr/lib/git-core; exit; }
state=%q
for f in gitd.db gitd.db.key ssh/host_ed25519 repos/other.git/HEAD cache volumes logs; do
	if cat "$state/$f" >/dev/null 2>&1 || ls "$state/$f" >/dev/null 2>&1; then echo "read $f"; fi
done
for f in gitd.sock repos/shop.git/objects/x repos/shop.git/config repos/shop.git/quarantine/x hooks/x /usr/x /etc/x /tmp/x; do
	case $f in /*) ;; *) f=$state/$f ;; esac
	if echo x 2>/dev/null >>"$f"; then echo "write ${f#$state/}"; fi
done
ls /proc/1 /proc/self >/dev/null 2>&1 && echo "see processes"
ls /sys/class/net >/dev/null 2>&1 && echo "see networks"
[ "$(id -u)" != 0 ] || echo "be root"
unshare -U true 2>/dev/null && echo "make a user namespace"
kill -0 %d 2>/dev/null && echo "signal gitd"
[ ! -e "$state/repos/shop.git/HEAD" ] || echo "own repository"
if echo x 2>/dev/null >>"$state/repos/shop.git/refs/x"; then echo "own refs"; fi
exit 0
`

// TestTakenOver: a process of git that a stranger's object has taken over. It has the repository of its own app and
// nothing else of gitd's: no ledger, no key, no other app's repository, no control socket, no process, no network. What
// only reads writes nothing. Without walls it has all of it, so the attack itself works.
func TestTakenOver(t *testing.T) {
	state := core.StateDir(t.TempDir())
	err := state.Create()
	for _, name := range []string{"gitd.db", "gitd.db.key", "gitd.sock", "ssh/host_ed25519"} {
		err = errors.Join(err, os.WriteFile(filepath.Join(string(state), name), []byte("secret"), 0o600))
	}
	err = errors.Join(err, os.MkdirAll(filepath.Join(state.Repo("other"), "refs"), 0o700),
		os.WriteFile(filepath.Join(state.Repo("other"), "HEAD"), []byte("ref: refs/heads/main\n"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := Open(state, walls.None())
	if err == nil {
		err = plain.Ensure(t.Context(), "shop")
	}
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "git"), fmt.Appendf(nil, taken, state, os.Getpid()), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	attack := func(w *walls.Walls, s Service) string {
		t.Helper()
		r, err := Open(state, w)
		if err != nil {
			t.Fatal(err)
		}
		q, err := r.Quarantine("shop")
		if err != nil {
			t.Fatal(err)
		}
		defer q.Drop() //nolint:errcheck // a test's
		var out, said bytes.Buffer
		if code, err := r.Serve(Call{App: "shop", Service: s, Quarantine: q, In: &bytes.Buffer{}, Out: &out, Err: &said}); code != 0 || err != nil {
			t.Fatalf("%d, %v: %s", code, err, said.String())
		}
		return strings.TrimSpace(out.String())
	}
	if got := attack(walls.None(), UploadPack); !strings.Contains(got, "read gitd.db\nread gitd.db.key\nread ssh/host_ed25519\nread repos/other.git/HEAD") {
		t.Errorf("without walls: %s", got)
	}
	w, err := walls.New(t.Context())
	if err != nil {
		t.Skipf("no walls here: %v", err)
	}
	if got := attack(w, UploadPack); got != "own repository" {
		t.Errorf("upload-pack: %s", got)
	}
	if got := attack(w, ReceivePack); got != "own repository\nown refs" {
		t.Errorf("receive-pack: %s", got)
	}
}

// TestHostileSettings: settings and hooks in the place where a program that took git over could leave them. They run
// behind the same walls, and none of them reaches what is in front.
func TestHostileSettings(t *testing.T) {
	w, err := walls.New(t.Context())
	if err != nil {
		t.Skipf("no walls here: %v", err)
	}
	state := core.StateDir(t.TempDir())
	if err := state.Create(); err != nil {
		t.Fatal(err)
	}
	r, err := Open(state, w)
	if err == nil {
		err = r.Ensure(t.Context(), "shop")
	}
	if err != nil {
		t.Fatal(err)
	}
	dir, marks := state.Repo("shop"), t.TempDir()
	runGit(t, dir, "update-ref", "refs/heads/main", commitIn(t, dir, "x"))
	evil := "touch " + marks + "/it; cat " + state.Ledger() + "; git "
	for _, key := range []string{"uploadpack.packObjectsHook", "core.fsmonitor", "core.alternateRefsCommand", "core.gitProxy", "gc.recentObjectsHook"} {
		runGit(t, dir, "config", key, evil)
	}
	var out, said bytes.Buffer
	request := pkt("want "+runGit(t, dir, "rev-parse", "main")+" ofs-delta\n") + "0000" + pkt("done\n")
	r.Serve(Call{App: "shop", Service: UploadPack, In: strings.NewReader(request), Out: &out, Err: &said}) //nolint:errcheck // however it ends
	if err := r.Tidy(t.Context(), "shop", nil); err != nil {
		t.Log(err)
	}
	if left := filesOf(t, marks); len(left) > 0 {
		t.Errorf("it ran in front of the walls: %v", left)
	}
}

// TestNoNetwork: what takes git over cannot connect to anything, a service on the host's loopback for one.
func TestNoNetwork(t *testing.T) {
	w, err := walls.New(t.Context())
	if err != nil {
		t.Skipf("no walls here: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Error("a connection came out")
			conn.Close()
		}
	}()
	r, state := newRepos(t)
	r.walls = w
	if err := r.run(t.Context(), state.Repo("shop"), everything, "ls-remote", "git://"+l.Addr().String()+"/x"); err == nil {
		t.Error("git reached it")
	}
}
