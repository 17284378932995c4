package main

import (
	"flag"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var far = flag.Bool("remote", false, "run machines on another host: needs Debian's sshd, which it fetches")

func needFar(t *testing.T) {
	t.Helper()
	if !*far {
		t.Skip("runs machines on another host: make test-remote")
	}
}

// TestRemote: the machines of a gitd are on another host, from a push to an answer, through a connection that breaks, a
// gitd that is killed, and to the end of the app.
func TestRemote(t *testing.T) {
	needFar(t)
	h := newFarHost(t)
	r := newRig(t, filepath.Join(bin, "gitd"), "", "--libvirt", h.uri())
	h.state = r.state
	h.begin(r.state)
	r.serve()
	r.admit()
	r.repo("shop", filepath.Join("..", "..", "templates", "apps", "hello"))
	began := time.Now()
	pushed(t, r, "shop")
	t.Logf("the first push took %s", time.Since(began).Round(time.Millisecond))
	if here := r.qemus(); len(here) != 0 {
		t.Fatalf("machines run on this host: %v", here)
	}
	hello(t, r)
	t.Run("the connections break", func(t *testing.T) { breaks(t, r, h) })
	t.Run("sshd is away", func(t *testing.T) { sshdAway(t, r, h) })
	t.Run("gitd is killed", func(t *testing.T) {
		machine := h.alone(t, r)
		r.kill()
		r.serve()
		hello(t, r)
		if now := h.alone(t, r); now != machine {
			t.Errorf("another machine serves: %d, not %d", now, machine)
		}
	})
	t.Run("a volume", func(t *testing.T) { volumeThere(t, r) })
	r.halt()
	if left := h.files(t, "machines"); len(left) != 0 {
		t.Errorf("of machines that ended, their host keeps %q", left)
	}
}

// alone waits until one machine is left there, and returns its process.
func (h *farHost) alone(t *testing.T, r *rig) (pid int) {
	t.Helper()
	if err := r.eventually(func() error {
		all := h.qemus()
		if len(all) != 1 {
			return fmt.Errorf("%d machines run there", len(all))
		}
		pid = all[0]
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return pid
}

// breaks: all connections are cut at once. The app answers again by itself, by the same machine, and the next push
// goes there.
func breaks(t *testing.T, r *rig, h *farHost) {
	machine, mark := h.alone(t, r), r.mark()
	if n := h.cut(); n < 2 {
		t.Fatalf("%d connections were cut", n)
	}
	began := time.Now()
	r.says(t, `"message":"the way to the machines is back"`, mark)
	r.says(t, `"message":"libvirt is back"`, mark)
	h.answers(t, r)
	t.Logf("it answered again after %s", time.Since(began).Round(time.Millisecond))
	if now := h.alone(t, r); now != machine {
		t.Errorf("another machine serves: %d, not %d", now, machine)
	}
	r.edit("shop", "again", map[string]string{"note": "again"})
	began = time.Now()
	pushed(t, r, "shop")
	t.Logf("the second push took %s", time.Since(began).Round(time.Millisecond))
	hello(t, r)
}

// volumeThere: no volume can be made, with the reason, and the app goes on: its next machine could not have it.
func volumeThere(t *testing.T, r *rig) {
	_, err := r.try("volumes:create", "shop", "data", "--size", "100M", "--mount", "/data")
	if err == nil || !strings.Contains(err.Error(), "the machines of this gitd run on another one") {
		t.Errorf("a volume that no machine could have: %v", err)
	}
	hello(t, r)
}

// answers waits for the app.
func (h *farHost) answers(t *testing.T, r *rig) {
	t.Helper()
	if err := r.eventually(func() error {
		status, body, err := r.get(r.client(false), "shop", "/")
		if err != nil || status != http.StatusOK || !strings.Contains(body, "Hello from NodeOS") {
			return fmt.Errorf("the app answers %d %q, %w", status, body, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// sshdAway: the host does not answer at all for a while, and gitd says so.
func sshdAway(t *testing.T, r *rig, h *farHost) {
	machine, mark := h.alone(t, r), r.mark()
	h.silence()
	r.says(t, `"message":"the host of the machines is still away"`, mark)
	if status := r.gitd("status"); !strings.Contains(status, "not seen: libvirt is away since ") {
		t.Errorf("status does not say that the host is away:\n%s", status)
	}
	mark = r.mark()
	h.listen()
	r.says(t, `"message":"the way to the machines is back"`, mark)
	r.says(t, `"message":"libvirt is back"`, mark)
	h.answers(t, r)
	if now := h.alone(t, r); now != machine {
		t.Errorf("another machine serves: %d, not %d", now, machine)
	}
}

// TestRemoteRefused: gitd does not begin on a host whose key is not known, or is another one, and says what to type;
// nor with what does not work there.
func TestRemoteRefused(t *testing.T) {
	needFar(t)
	h := newFarHost(t)
	r := newRig(t, filepath.Join(bin, "gitd"), "")
	h.state = r.state
	h.begin(r.state)
	good := h.read("login/known")
	if err := keygen(h.dir, "other"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, known string
		args        []string
		want        []string
	}{
		{"the key is not known", "", nil, []string{"no way to the host farhost: its host key is not known", "type `ssh farhost` once"}},
		{"the key is another one", farName + " " + h.read("other.pub"), nil, []string{"its host key is not the one that is known", "ssh-keygen -R farhost"}},
		{"spare machines", good, []string{"--spares", "1"}, []string{"--spares", "boot anew for each deployment"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.write("login/known", c.known)
			h.give()
			args := append([]string{"serve", "--ssh", "127.0.0.1:0", "--http", "127.0.0.1:0", "--state", r.state, "--libvirt", h.uri()}, c.args...)
			cmd := exec.Command(r.program, args...)
			cmd.Env = []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "HOME=" + r.state}
			out, err := cmd.CombinedOutput()
			for _, want := range c.want {
				if err == nil || !strings.Contains(string(out), want) {
					t.Errorf("gitd serve: %v, without %q:\n%s", err, want, out)
				}
			}
		})
	}
}
