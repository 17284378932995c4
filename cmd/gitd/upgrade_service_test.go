package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// managed is a service manager's socket, and what came there.
type managed struct{ *feed[string] }

func newManaged(t *testing.T, path string) managed {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		os.RemoveAll(path)
	})
	if err := os.Chmod(path, 0o666); err != nil { // gitd does not run as the tests' user, if that is root
		t.Fatal(err)
	}
	m := managed{newFeed[string]()}
	go func() {
		for buf := make([]byte, 4096); ; {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			m.add(string(buf[:n]))
		}
	}()
	return m
}

// awaits waits for a message that has this text, after mark.
func (m managed) awaits(t *testing.T, text string, mark int) {
	t.Helper()
	if _, err := m.wait("message "+text, func(s string) bool { return strings.Contains(s, text) }, mark, nil); err != nil {
		t.Fatal(err)
	}
}

// TestUpgradeOfAService: what a service manager hears, who may upgrade, what those who watch are told, and that a gitd
// which has everything and does not begin gives it back.
func TestUpgradeOfAService(t *testing.T) {
	if testing.Short() {
		t.Skip("runs gitd with libvirt")
	}
	b := newBuilds(t)
	b.install(1)
	r := newRig(t, b.path(), "")
	m := newManaged(t, r.state+".notify")
	r.daemon = append(r.daemon, "NOTIFY_SOCKET="+r.state+".notify", "WATCHDOG_USEC=2000000")
	r.serve()
	m.awaits(t, "READY=1\nSTATUS=gitd v0.0.0-upgrade-test-01 serves", 0)
	m.awaits(t, "WATCHDOG=1", 0)
	r.admit()

	t.Run("a user who is no administrator", func(t *testing.T) {
		if err := keygen(r.work, "bob"); err != nil {
			t.Fatal(err)
		}
		r.addKey("bob", "bob")
		out, err := r.overSSH("bob", "upgrade").CombinedOutput()
		if err == nil || !strings.Contains(string(out), "administrator") {
			t.Errorf("%v: %s", err, out)
		}
	})
	t.Run("an administrator by SSH, beside one who watches", func(t *testing.T) {
		pid, mark := r.pid(), m.mark()
		watches := r.start(r.overSSH("id", "events", "--follow"))
		if err := r.eventually(func() error { return upgradeSays(watches, "key.add") }); err != nil {
			t.Fatal(err, watches.out)
		}
		b.install(2)
		out, err := r.overSSH("id", "upgrade").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "gitd v0.0.0-upgrade-test-02 takes the place of v0.0.0-upgrade-test-01") {
			t.Errorf("%v: %s", err, out)
		}
		m.awaits(t, "RELOADING=1", mark)
		m.awaits(t, "MAINPID=", mark)
		m.awaits(t, "READY=1\nSTATUS=gitd v0.0.0-upgrade-test-02 serves", mark)
		<-watches.done
		if !strings.Contains(watches.out.String(), "gitd is being upgraded: type it again") {
			t.Errorf("who watches is told: %s", watches.out)
		}
		if r.pid() == pid {
			t.Errorf("it is process %d still", pid)
		}
		m.awaits(t, fmt.Sprintf("MAINPID=%d", r.pid()), mark)
	})
	t.Run("a gitd that does not begin", func(t *testing.T) {
		pid, mark := r.pid(), m.mark()
		end, failed := r.asksAgain(t)
		b.put("gitd", []byte(`#!/bin/sh
case "$*" in *--check*) exit 0;; esac
echo '{"step":"prepared","version":"v9"}' >&3
read go <&3
echo '{"step":"failed","why":"it finds no machines"}' >&3
`))
		up := r.start(r.hostCommand("upgrade"))
		<-up.done
		for _, want := range []string{"gitd v9 does not begin: it finds no machines", "the gitd before serves again, in a new process"} {
			if up.err == nil || !strings.Contains(up.out.String(), want) {
				t.Errorf("%v: %s", up.err, up.out)
			}
		}
		m.awaits(t, "READY=1\nSTATUS=gitd v0.0.0-upgrade-test-02 serves", mark)
		if got := r.serves(t); got != "v0.0.0-upgrade-test-02" || r.pid() == pid {
			t.Errorf("%s, process %d, and before %d", got, r.pid(), pid)
		}
		close(end)
		if n := <-failed; n > 0 {
			t.Errorf("%d requests failed", n)
		}
	})
	if out := r.hostSays(t, "events"); strings.Count(out, "gitd.upgraded") != 2 {
		t.Errorf("the audit: %s", out)
	}
	mark := m.mark()
	r.hostSays(t, "halt")
	m.awaits(t, "STOPPING=1", mark)
	<-r.ended
}

// asksAgain asks the front door, again and again, until end is closed.
func (r *rig) asksAgain(t *testing.T) (end chan struct{}, failed chan int) {
	end, failed = make(chan struct{}), make(chan int, 1)
	c := r.client(true)
	go func() {
		n := 0
		for {
			res, err := c.Get("http://" + r.http + "/")
			if err == nil {
				res.Body.Close()
			}
			if err != nil || res.StatusCode != http.StatusNotFound && res.StatusCode != http.StatusOK {
				t.Log(err)
				n++
			}
			select {
			case <-end:
				failed <- n
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return end, failed
}

// addKey lets a key in, under a name.
func (r *rig) addKey(file, name string) {
	r.t.Helper()
	key, err := os.ReadFile(filepath.Join(r.work, file+".pub"))
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := r.hostCommand("keys:add", name)
	cmd.Stdin = bytes.NewReader(key)
	r.must(cmd)
}

func (r *rig) overSSH(key string, words ...string) *exec.Cmd {
	host, port, err := net.SplitHostPort(r.ssh)
	if err != nil {
		r.t.Fatal(err)
	}
	args := append(strings.Fields(sshOptions(r.work)), "-i", filepath.Join(r.work, key), "-p", port, "nodeos@"+host)
	cmd := exec.Command("ssh", append(args, words...)...)
	cmd.Env = r.env
	return cmd
}

func (r *rig) hostSays(t *testing.T, words ...string) string {
	t.Helper()
	out, err := r.hostCommand(words...).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %v: %s", words, err, out)
	}
	return string(out)
}

// serves is the version of the gitd that serves.
func (r *rig) serves(t *testing.T) string {
	t.Helper()
	var s struct{ Version string }
	if err := json.Unmarshal([]byte(r.hostSays(t, "status", "--json")), &s); err != nil {
		t.Error(err)
	}
	return s.Version
}

// TestUpgradeInAContainer: a gitd that is process 1 would take its container with it.
func TestUpgradeInAContainer(t *testing.T) {
	d := &daemon{onStop: onStop{stopAuto, place{pid: 1}}}
	d.next = newSuccession(t.Context(), d)
	for range 2 { // the first does not stand in the way of a second
		var r *core.Rejection
		if err := d.next.upgrade(context.Background(), core.Host(), nil); !errors.As(err, &r) || !strings.Contains(r.Hint, "docker compose up") {
			t.Error(err)
		}
	}
}
