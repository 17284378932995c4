package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nodeos-dev/gitd/internal/libvirt/libvirtdtest"
)

// keeper is a gitd with an app of two tags, of which the one that is live is the other's successor.
type keeper struct {
	*rig
	l    *libvirtdtest.Daemon
	live string // the tag
}

// TestFaultsOfKept breaks a rollback to a machine that is kept: make test-faults. The app serves afterwards, as the tag
// that was pushed or, where gitd itself was killed, as one of both; and nothing is left of the machine.
func TestFaultsOfKept(t *testing.T) {
	if os.Getenv("FAULTS") == "" {
		t.Skip("breaks rollbacks: make test-faults")
	}
	k := newKeeper(t)
	for i, f := range []struct {
		name string
		do   func(t *testing.T)
		says string // the rollback after that
	}{
		{"nothing", k.toAndFro, "resumed the machine"},
		{"kill -9 QEMU of the kept machine", k.killKept, "Linux "},
		{"kill -9 libvirt while a machine is kept", k.killLibvirt, "resumed the machine"},
		{"kill -9 QEMU of the machine that goes on", k.killResumed, ""},
		{"kill -9 gitd while a machine is kept", k.killDaemon, "Linux "},
		{"kill -9 gitd while a machine goes on", k.killResuming, ""},
	} {
		t.Run(f.name, func(t *testing.T) {
			if i%2 == 1 && os.Getenv("FAULTS") != "all" {
				t.Skip("make test-faults FAULTS=all breaks it in every way")
			}
			k.replace(t)
			f.do(t)
			if f.says != "" {
				k.back(t, f.says)
			}
			k.answers(t)
			k.gitd("config:set", "shop", "END=now") // ends what is kept
			alone(t, k.rig)
		})
	}
	k.halt()
}

func newKeeper(t *testing.T) *keeper {
	t.Helper()
	l := libvirtdtest.New(t)
	l.Start()
	k := &keeper{rig: newRig(t, filepath.Join(bin, "gitd"), "", "--libvirt", l.URI(), "--keep-warm", "1h"), l: l}
	k.serve()
	k.admit()
	k.repo("shop", filepath.Join("..", "..", "templates", "apps", "hello"))
	for _, tag := range []string{"one", "two"} {
		k.edit("shop", tag, map[string]string{"change.txt": tag})
		k.git("shop", "tag", tag)
		pushed(t, k.rig, "shop")
		k.live = tag
	}
	return k
}

func (k *keeper) other() string {
	if k.live == "one" {
		return "two"
	}
	return "one"
}

// replace has a machine kept of the tag that is not live then.
func (k *keeper) replace(t *testing.T) {
	t.Helper()
	mark := k.mark()
	k.back(t, "")
	k.says(t, `"message":"a machine that was replaced is kept"`, mark)
}

// back pushes the tag that is not live.
func (k *keeper) back(t *testing.T, says string) {
	t.Helper()
	p := k.push("shop", k.other())
	<-p.done
	if out := p.out.String(); p.err != nil || !strings.Contains(out, says) {
		t.Fatalf("push of %s: %v, without %q\n%s\n%s", k.other(), p.err, says, out, k.tail(40))
	}
	k.live = k.other()
}

// toAndFro rolls back and forward while somebody asks: each request is answered.
func (k *keeper) toAndFro(t *testing.T) {
	t.Helper()
	stop, ended := make(chan struct{}), make(chan struct{})
	asked := 0
	go func() {
		defer close(ended)
		for c := k.client(true); ; asked++ {
			select {
			case <-stop:
				return
			default:
			}
			if status, body, err := k.get(c, "shop", "/"); err != nil || status != http.StatusOK {
				t.Errorf("request %d: %d %q, %v", asked, status, body, err)
			}
		}
	}()
	for range 6 {
		mark := k.mark()
		k.back(t, "resumed the machine")
		k.says(t, `"message":"a machine that was replaced is kept"`, mark)
	}
	close(stop)
	<-ended
	t.Logf("%d requests in 6 rollbacks", asked)
}

// killKept kills the QEMU of the machine that is kept.
func (k *keeper) killKept(t *testing.T) {
	t.Helper()
	mark := k.mark()
	k.killMachine(t)
	k.says(t, `"message":"a machine that was kept is lost"`, mark)
}

// killMachine kills the QEMU of a machine that does not serve.
func (k *keeper) killMachine(t *testing.T) {
	t.Helper()
	serves := k.gitd("ps", "shop")
	for _, q := range k.qemus() {
		_, name, _ := strings.Cut(q.line, "guest=")
		name, _, _ = strings.Cut(name, ",")
		if !strings.Contains(serves, name) {
			if err := syscall.Kill(q.pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no machine is kept:\n%s", serves)
}

func (k *keeper) killLibvirt(t *testing.T) {
	t.Helper()
	mark := k.mark()
	k.l.End(syscall.SIGKILL)
	k.says(t, `"message":"libvirt is away`, mark)
	hello(t, k.rig)
	back(t, k.rig, k.l)
}

// killResumed pushes, and kills the machine as soon as it is to go on.
func (k *keeper) killResumed(t *testing.T) {
	t.Helper()
	mark := k.mark()
	p := k.push("shop", k.other())
	k.says(t, `"moment":"booting"`, mark)
	k.killMachine(t)
	<-p.done
	if p.err != nil {
		t.Errorf("the push that boots another: %v\n%s", p.err, p.out)
	}
	k.live = k.other()
}

func (k *keeper) killDaemon(t *testing.T) {
	t.Helper()
	k.kill()
	k.serve()
	alone(t, k.rig)
}

func (k *keeper) killResuming(t *testing.T) {
	t.Helper()
	mark := k.mark()
	p := k.push("shop", k.other())
	k.says(t, `"moment":"booting"`, mark)
	k.kill()
	<-p.done
	k.serve()
	alone(t, k.rig)
}

// answers waits until the app answers: one whose machine was killed while it served has another one soon.
func (k *keeper) answers(t *testing.T) {
	t.Helper()
	if err := k.eventually(func() error {
		status, body, err := k.get(k.client(false), "shop", "/")
		if err != nil || status != http.StatusOK {
			return errors.Join(fmt.Errorf("the app answers %d %q", status, body), err)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
