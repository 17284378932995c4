package main

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/libvirt/libvirtdtest"
)

// TestLibvirtAway: an update of libvirt restarts its daemon, and gitd went on to say `running` and failed each push
// until somebody restarted it too. Now it connects again. Machines and apps do not notice any of it.
func TestLibvirtAway(t *testing.T) {
	if testing.Short() {
		t.Skip("boots virtual machines")
	}
	t.Parallel()
	l := libvirtdtest.New(t)
	l.Start()
	r := newRig(t, filepath.Join(bin, "gitd"), "", "--libvirt", l.URI())
	r.serve()
	r.admit()
	r.repo("shop", filepath.Join("..", "..", "templates", "apps", "hello"))
	pushed(t, r, "shop")
	for name, signal := range map[string]syscall.Signal{"restarted": syscall.SIGTERM, "killed": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			machine := alone(t, r)
			away(t, r, l, signal)
			hello(t, r)
			back(t, r, l)
			if now := alone(t, r); now != machine {
				t.Errorf("another machine serves: %d, not %d", now, machine)
			}
			hello(t, r)
			r.edit("shop", name, map[string]string{"note": name})
			pushed(t, r, "shop")
			hello(t, r)
		})
	}
	t.Run("hangs", func(t *testing.T) {
		machine, mark := alone(t, r), r.mark()
		gone, back := callers(t, l.URI())
		l.Signal(syscall.SIGSTOP)
		r.says(t, `"message":"libvirt is away`, mark)
		hello(t, r)
		gone()
		l.Signal(syscall.SIGCONT)
		back()
		r.says(t, `"message":"libvirt is back"`, mark)
		if now := alone(t, r); now != machine {
			t.Errorf("another machine serves: %d, not %d", now, machine)
		}
	})
	t.Run("machine killed meanwhile", func(t *testing.T) {
		machine := alone(t, r)
		away(t, r, l, syscall.SIGTERM)
		if err := syscall.Kill(machine, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		mark := r.mark()
		back(t, r, l)
		r.says(t, `"message":"machine started"`, mark)
		hello(t, r)
		if events := r.gitd("events", "shop"); !strings.Contains(events, "it ended while libvirt was away") {
			t.Errorf("the events do not tell of it:\n%s", events)
		}
	})
	t.Run("push meanwhile", func(t *testing.T) {
		r.edit("shop", "meanwhile", map[string]string{"note": "meanwhile"})
		away(t, r, l, syscall.SIGTERM)
		p := r.push("shop", "main")
		<-p.done
		if out := p.out.String(); p.err == nil || !strings.Contains(out, "libvirt is away: ") || !strings.Contains(out, "push again") {
			t.Errorf("a push that cannot work: %v\n%s", p.err, out)
		}
		mark := r.mark()
		p = r.push("shop", "main")
		r.says(t, `"moment":"booting"`, mark)
		back(t, r, l)
		<-p.done
		if p.err != nil {
			t.Errorf("a push that waited: %v\n%s\n%s", p.err, p.out, r.tail(30))
		}
		hello(t, r)
	})
	r.halt()
}

// alone waits until one machine is left, and returns its process.
func alone(t *testing.T, r *rig) (pid int) {
	t.Helper()
	err := r.eventually(func() error {
		all := r.qemus()
		if len(all) != 1 {
			return fmt.Errorf("%d machines run", len(all))
		}
		pid = all[0].pid
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// says waits for a line of the log.
func (r *rig) says(t *testing.T, text string, mark int) {
	t.Helper()
	_, err := r.journal.wait(text, func(line string) bool { return strings.Contains(line, text) }, mark, r.ended)
	if err != nil {
		t.Fatalf("%v\n%s", err, r.tail(40))
	}
}

// away ends libvirtd, and sees that gitd says so.
func away(t *testing.T, r *rig, l *libvirtdtest.Daemon, signal syscall.Signal) {
	t.Helper()
	mark := r.mark()
	l.End(signal)
	r.says(t, `"message":"libvirt is away`, mark)
	r.eventually(func() error { return unseen(r) }) //nolint:errcheck // shown below
	if err := unseen(r); err != nil {
		t.Error(err)
	}
	if status := r.gitd("status"); !strings.Contains(status, "1, not seen: libvirt is away since ") {
		t.Errorf("status does not say that libvirt is away:\n%s", status)
	}
}

func unseen(r *rig) error {
	if ps := r.gitd("ps", "shop"); !strings.Contains(ps, "unseen") || strings.Contains(ps, " running ") {
		return fmt.Errorf("ps says:\n%s", ps)
	}
	return nil
}

// back starts libvirtd, and waits until gitd has it again.
func back(t *testing.T, r *rig, l *libvirtdtest.Daemon) {
	t.Helper()
	mark := r.mark()
	l.Start()
	began := time.Now()
	r.says(t, `"message":"libvirt is back"`, mark)
	t.Logf("gitd has libvirt again %s after its socket", time.Since(began).Round(time.Millisecond))
}

// hello sees that the app answers, and that gitd says that it runs.
func hello(t *testing.T, r *rig) {
	t.Helper()
	status, body, err := r.get(r.client(false), "shop", "/")
	if err != nil || status != http.StatusOK || !strings.Contains(body, "Hello from NodeOS") {
		t.Errorf("the app answers %d %q, %v", status, body, err)
	}
}

// TestLibvirtSeesNoState: a libvirt whose host, or mount namespace, has not the state folder can boot nothing. gitd
// said `ready`, and each push failed with QEMU's inner words.
func TestLibvirtSeesNoState(t *testing.T) {
	if testing.Short() {
		t.Skip("starts libvirtd")
	}
	l := libvirtdtest.New(t)
	r := newRig(t, filepath.Join(bin, "gitd"), "")
	l.Args = []string{"--tmpfs", r.state}
	l.Start()
	cmd := exec.Command(r.program, "serve", "--ssh", "127.0.0.1:0", "--http", "127.0.0.1:0", "--state", r.state, "--libvirt", l.URI())
	cmd.Env = []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "HOME=" + r.state}
	out, err := cmd.CombinedOutput()
	for _, want := range []string{"the libvirt at " + l.URI(), "does not see the state folder " + r.state, "No such file or directory", "run gitd on the host of that libvirt"} {
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("gitd serve: %v, without %q:\n%s", err, want, out)
		}
	}
}
