package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/libvirt/libvirtdtest"
	"github.com/nodeos-dev/gitd/internal/sleep"
)

// sleeper is a gitd with an app that counts its requests, so that it shows whether it goes on where it was.
type sleeper struct {
	*rig
	l    *libvirtdtest.Daemon
	t    *testing.T // of the fault of now
	n    int        // requests that the machine of now has answered
	hung *trap[core.Transition]
}

// anew is that the app may have booted, so that it counts from the beginning.
const anew = true

// TestFaultsOfSleep breaks machines that fall asleep, sleep, wake, wait for their app and get it, in each phase: make
// test-faults. The app answers afterwards, nothing is left of what was broken, and it sleeps and wakes again.
func TestFaultsOfSleep(t *testing.T) {
	form := os.Getenv("FAULTS")
	if form == "" {
		t.Skip("breaks machines that sleep: make test-faults")
	}
	s := newSleeper(t)
	for _, f := range []struct {
		name string
		ci   bool
		do   func()
		anew bool
	}{
		{"kill -9 gitd while saving", true, s.during(sleep.AtSaving, s.killDaemon), false},
		{"kill -9 QEMU while saving", false, s.during(sleep.AtSaving, s.killQEMU), anew},
		{"kill -9 libvirt while saving", false, s.during(sleep.AtSaving, s.killLibvirt), false},
		{"kill -9 gitd, saved", false, s.during(sleep.AtSaved, s.killDaemon), false},
		{"kill -9 QEMU, saved", false, s.during(sleep.AtSaved, s.killQEMU), false},
		{"kill -9 libvirt, saved", false, s.during(sleep.AtSaved, s.killLibvirt), false},
		{"kill -9 gitd while restoring", false, s.waking(s.killDaemon, false), false},
		{"kill -9 QEMU while restoring", false, s.waking(s.killQEMU, true), anew},
		{"kill -9 libvirt while restoring", false, s.waking(s.killLibvirt, true), anew},
		{"disk full while saving", true, s.fullDisk, false},
		{"a bit of the file flipped", true, s.damaged(flip), anew},
		{"the file cut short", false, s.damaged(func(b []byte) []byte { return b[:len(b)/2] }), anew},
		{"the file cut at its last part", false, s.damaged(func(b []byte) []byte { return b[:len(b)-20] }), anew},
		{"the file empty", false, s.damaged(func([]byte) []byte { return nil }), anew},
		{"the file missing", false, s.missing, anew},
		{"the file of another machine", false, s.otherFile(), anew},
	} {
		t.Run(f.name, func(t *testing.T) {
			if !f.ci && form != "all" {
				t.Skip("make test-faults FAULTS=all breaks it in every way")
			}
			s.t, s.rig.t = t, t
			s.counts(false)
			f.do()
			s.counts(f.anew)
			s.leaves()
			s.gitd("sleep", "shop")
			s.counts(false)
		})
	}
	s.t, s.rig.t = t, t
	s.halt()
}

func newSleeper(t *testing.T) *sleeper {
	t.Helper()
	l := libvirtdtest.New(t)
	l.Start()
	s := &sleeper{rig: newRig(t, pausingGitd(t), "", "--libvirt", l.URI()), l: l, t: t}
	s.observed(t)
	s.serve()
	s.admit()
	s.repo("shop", filepath.Join("..", "..", "templates", "apps", "hello"))
	s.edit("shop", "it counts", map[string]string{"server.js": counting})
	pushed(t, s.rig, "shop")
	return s
}

const counting = `let n = 0; // the health check is no request of ours
require('http').createServer((req, res) => res.end(req.url === '/n' ? 'request ' + ++n : '')).listen(process.env.PORT);
`

// counts sees that the app answers with the next number; if it may be another machine, with 1 at the least.
func (s *sleeper) counts(anew bool) {
	s.t.Helper()
	var body string
	err := s.eventually(func() error {
		status, text, err := s.get(s.client(false), "shop", "/n")
		if body = text; err == nil && status != http.StatusOK {
			err = fmt.Errorf("the app answers %d %q", status, body)
		}
		return err
	})
	switch s.n++; {
	case err != nil:
		s.t.Fatalf("%v\n%s", err, s.tail(60))
	case body == fmt.Sprint("request ", s.n):
	case anew && body == "request 1":
		s.n = 1
	default:
		s.t.Errorf("the app answers %q, want request %d\n%s", body, s.n, s.tail(60))
	}
}

// leaves sees that one machine runs, and that there is no file but its own.
func (s *sleeper) leaves() {
	s.t.Helper()
	alone(s.t, s.rig)
	if err := s.eventually(func() error {
		files, err := os.ReadDir(s.folder())
		if err == nil && (len(files) != 1 || !strings.HasSuffix(files[0].Name(), ".print")) {
			err = fmt.Errorf("files are left: %v", files)
		}
		return err
	}); err != nil {
		s.t.Error(err)
	}
}

func (s *sleeper) folder() string { return core.Sleeping(core.StateDir(s.state)) }

// during breaks something in a phase of falling asleep.
func (s *sleeper) during(at core.Moment, fault func()) func() {
	return func() {
		s.t.Helper()
		s.hung = s.observer.at(at)
		slept := make(chan struct{})
		go func() {
			defer close(slept)
			s.try("sleep", "shop") //nolint:errcheck // it may have been broken
		}()
		s.phase(fault)
		<-slept
	}
}

// waking breaks something while the app wakes for a request, which is answered unless it is gitd that breaks.
func (s *sleeper) waking(fault func(), answered bool) func() {
	return func() {
		s.t.Helper()
		s.gitd("sleep", "shop")
		s.hung = s.observer.at(sleep.AtRestoring)
		asked := make(chan struct{})
		c := s.client(false)
		go func() {
			defer close(asked)
			if status, _, err := s.get(c, "shop", "/wake"); answered && (err != nil || status != http.StatusOK) {
				s.t.Errorf("the request that waits is answered with %d, %v", status, err)
			}
		}()
		s.phase(fault)
		<-asked
	}
}

// phase waits for the phase, and breaks something in it.
func (s *sleeper) phase(fault func()) {
	s.t.Helper()
	select {
	case <-s.hung.hit:
	case <-time.After(eventLimit):
		s.t.Fatalf("no %q\n%s", s.hung.what, s.tail(40))
	}
	fault()
}

// goOn has gitd go on in the phase.
func (s *sleeper) goOn() { s.observer.release(s.hung) }

func (s *sleeper) killDaemon() {
	s.t.Helper()
	s.kill()
	s.goOn()
	s.serve()
}

// killQEMU kills the newest machine.
func (s *sleeper) killQEMU() {
	s.t.Helper()
	var newest process
	for _, q := range s.qemus() {
		if q.pid > newest.pid {
			newest = q
		}
	}
	if newest.pid == 0 {
		s.t.Fatal("no machine runs")
	}
	if err := syscall.Kill(newest.pid, syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
	s.goOn()
}

func (s *sleeper) killLibvirt() {
	s.t.Helper()
	mark := s.mark()
	s.l.End(syscall.SIGKILL)
	s.says(s.t, `"message":"libvirt is away`, mark)
	s.goOn()
	back(s.t, s.rig, s.l)
}

// fullDisk has the folder of what sleeps on a disk that is soon full.
func (s *sleeper) fullDisk() {
	s.t.Helper()
	dir := s.folder()
	info, err := os.Stat(dir)
	if err != nil {
		s.t.Fatal(err)
	}
	kept := filepath.Join(s.work, "kept")
	s.must(exec.Command("cp", "-a", dir, kept))
	owner := info.Sys().(*syscall.Stat_t)
	s.must(exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("mode=%o,uid=%d,gid=%d,size=8m", info.Mode().Perm(), owner.Uid, owner.Gid), "full", dir))
	defer func() { s.must(exec.Command("umount", "-l", dir)) }()
	s.must(exec.Command("cp", "-a", kept+"/.", dir))
	out, err := s.try("sleep", "shop")
	if err == nil || !strings.Contains(err.Error(), "no space") && !strings.Contains(err.Error(), "full") {
		s.t.Errorf("on a full disk: %q, %v", out, err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		s.t.Errorf("files are left: %v, %v", files, err)
	}
}

// state is the file that the app sleeps as.
func (s *sleeper) saved() string {
	s.t.Helper()
	all, err := filepath.Glob(filepath.Join(s.folder(), "*.state"))
	if err != nil || len(all) != 1 {
		s.t.Fatalf("the app sleeps as %q, %v", all, err)
	}
	return all[0]
}

func flip(b []byte) []byte {
	b[len(b)/2] ^= 1
	return b
}

// damaged has the app sleep as something else than was saved.
func (s *sleeper) damaged(change func([]byte) []byte) func() {
	return func() {
		s.t.Helper()
		s.gitd("sleep", "shop")
		b, err := os.ReadFile(s.saved())
		if err == nil {
			err = os.WriteFile(s.saved(), change(b), 0o600)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *sleeper) missing() {
	s.t.Helper()
	s.gitd("sleep", "shop")
	if err := os.Remove(s.saved()); err != nil {
		s.t.Fatal(err)
	}
}

// otherFile has the app sleep as the machine that it was before, whole and in its form.
func (s *sleeper) otherFile() func() {
	var before []byte
	keep := s.damaged(func(b []byte) []byte { before = b; return b })
	return func() {
		s.t.Helper()
		keep()
		s.counts(false)
		s.damaged(func([]byte) []byte { return before })()
	}
}

// errNoSpare says that no spare machine is there yet.
var errNoSpare = errors.New("no spare machine boots")

// TestFaultsOfSpares breaks machines that wait for an app, and those that get it: make test-faults. What is deployed
// serves, the next one does, and a spare machine is there again.
func TestFaultsOfSpares(t *testing.T) {
	form := os.Getenv("FAULTS")
	if form == "" {
		t.Skip("breaks spare machines: make test-faults")
	}
	if form != "all" {
		t.Skip("make test-faults FAULTS=all breaks them in every way; the script spares kills gitd beside one")
	}
	l := libvirtdtest.New(t)
	l.Start()
	s := &sleeper{rig: newRig(t, filepath.Join(bin, "gitd"), "", "--libvirt", l.URI(), "--spares", "1"), l: l, t: t}
	s.serve()
	s.admit()
	s.repo("shop", filepath.Join("..", "..", "templates", "apps", "hello"))
	pushed(t, s.rig, "shop")
	s.hung = s.observer.at("nothing")
	for _, f := range []struct {
		name  string
		phase func(fault func())
		fault func()
	}{
		{"kill -9 gitd while one boots", s.booting, s.killDaemon},
		{"kill -9 QEMU while one boots", s.booting, s.killQEMU},
		{"kill -9 libvirt while one boots", s.booting, s.killLibvirt},
		{"kill -9 gitd while one gets its app", s.handing, s.killDaemon},
		{"kill -9 QEMU while one gets its app", s.handing, s.killQEMU},
		{"kill -9 libvirt while one gets its app", s.handing, s.killLibvirt},
	} {
		t.Run(f.name, func(t *testing.T) {
			s.t, s.rig.t = t, t
			s.spare()
			f.phase(f.fault)
			s.spare()
			if out := s.gitd("ps:restart", "shop"); !strings.Contains(out, "is live") {
				t.Errorf("the next deployment: %s", out)
			}
			hello(t, s.rig)
		})
	}
	s.t, s.rig.t = t, t
	s.halt()
}

// spare waits until the app's machine runs, and one that waits for the next.
func (s *sleeper) spare() {
	s.t.Helper()
	if err := s.eventually(func() error {
		if status := s.gitd("status"); len(s.qemus()) != 2 || !strings.Contains(status, "1 spare") {
			return fmt.Errorf("%d machines run, and\n%s", len(s.qemus()), status)
		}
		return nil
	}); err != nil {
		s.t.Fatalf("%v\n%s", err, s.tail(60))
	}
	hello(s.t, s.rig)
}

// booting uses the machine that waits, and breaks something when the next one boots.
func (s *sleeper) booting(fault func()) {
	s.t.Helper()
	mark := s.mark()
	s.gitd("ps:restart", "shop")
	s.says(s.t, `"message":"machine stopped"`, mark)
	if err := s.eventually(func() error {
		if len(s.qemus()) < 2 {
			return errNoSpare
		}
		return nil
	}); err != nil {
		s.t.Fatal(err)
	}
	fault()
}

// handing breaks something when the machine that waits is to get its app.
func (s *sleeper) handing(fault func()) {
	s.t.Helper()
	mark := s.mark()
	deployed := make(chan struct{})
	go func() {
		defer close(deployed)
		s.try("ps:restart", "shop") //nolint:errcheck // it may have been broken
	}()
	s.says(s.t, `"moment":"booting"`, mark)
	fault()
	<-deployed
}
