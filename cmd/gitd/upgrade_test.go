package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// upgrades is how many upgrades TestUpgrade makes under load.
var upgrades = flag.Int("upgrades", 3, "upgrades that TestUpgrade makes under load")

// placeholder is the version with which the gitd of upgrade tests is built. It is written over in copies, which is as
// good as building each anew, and takes no time.
const placeholder = "v0.0.0-upgrade-test-00"

// builds are gitds of different versions, of which one at a time is where gitd runs from.
type builds struct {
	t    *testing.T
	gitd []byte
	dir  string
}

func newBuilds(t *testing.T) *builds {
	t.Helper()
	dir, err := os.MkdirTemp("", "gu")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b := &builds{t: t, dir: dir}
	out := filepath.Join(t.TempDir(), "gitd")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-X main.linkedVersion="+placeholder, "-o", out, "github.com/nodeos-dev/gitd/cmd/gitd")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if b.gitd, err = os.ReadFile(out); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"nodeos-init", "gitd-machine", "gitd-hook"} {
		text, err := os.ReadFile(filepath.Join(bin, name))
		if err != nil {
			t.Fatal(err)
		}
		b.put(name, text)
	}
	return b
}

func (b *builds) path() string { return filepath.Join(b.dir, "gitd") }

// put puts a file in the place of another, as a package manager does: the one that runs is not written to.
func (b *builds) put(name string, text []byte) {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path+".new", text, 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		b.t.Fatal(err)
	}
}

// install puts the gitd of a version where gitd runs from.
func (b *builds) install(n int) (version string) {
	b.t.Helper()
	version = fmt.Sprintf("v0.0.0-upgrade-test-%02d", n)
	b.put("gitd", bytes.ReplaceAll(b.gitd, []byte(placeholder), []byte(version)))
	return version
}

// upgradeRig is a gitd of version 1 with the app load.
func upgradeRig(t *testing.T, args ...string) (*rig, *builds) {
	t.Helper()
	if testing.Short() {
		t.Skip("boots virtual machines")
	}
	b := newBuilds(t)
	b.install(1)
	r := newRig(t, b.path(), "", args...)
	r.serve()
	r.admit()
	r.repo("load", "testdata/load")
	pushed(t, r, "load")
	return r, b
}

var gapLine = regexp.MustCompile(`log in for (\d+) ms`)

// TestUpgrade: while clients of all kinds use an app, and a push runs, gitd is upgraded. No request may fail, the push
// succeeds, and the machines are the same processes as before. Programs that cannot take over change nothing.
func TestUpgrade(t *testing.T) {
	r, b := upgradeRig(t, "--metrics", "127.0.0.1:0")
	l := startLoad(r, "load")
	scraped := r.scrapes()
	r.refusesBadOnes(b)

	held := newSlowLink(t, r.ssh)
	r.edit("load", "large", map[string]string{"large.bin": packNoise(t, 2<<20)})
	p := r.start(r.gitCommand("load", "push", "ssh://nodeos@"+held.addr+"/load", "main"))
	<-held.full // the pack is on its way
	var gaps []string
	for i := range *upgrades {
		want, was := b.install(i+2), r.qemus()
		up := r.start(r.hostCommand("upgrade"))
		if i == 0 {
			if err := r.eventually(func() error { return upgradeSays(up, "Waiting for git-receive-pack") }); err != nil {
				t.Fatalf("%v\n%s\n%s", err, up.out, r.tail(20))
			}
			held.release()
		}
		<-up.done
		m := gapLine.FindStringSubmatch(up.out.String())
		if up.err != nil || m == nil {
			t.Fatalf("%v\n%s\n%s", up.err, up.out, r.tail(60))
		}
		gaps = append(gaps, m[1])
		if got := r.serves(t); got != want {
			t.Fatalf("%s serves, want %s", got, want)
		}
		if is := r.qemus(); i > 0 && !slices.Equal(is, was) {
			t.Errorf("machines before %v, and after %v", was, is)
		}
		if i == 0 {
			if <-p.done; p.err != nil || !liveLine.MatchString(p.out.String()) {
				t.Fatalf("the push: %v\n%s", p.err, p.out)
			}
		}
	}
	version, _ := r.commitAndPush(t)
	if want := 3; version != want {
		t.Errorf("after the upgrades a push makes v%d, want v%d", version, want)
	}
	scraped()
	results := l.stop()
	t.Logf("nobody could log in for %s ms\n%s", strings.Join(gaps, ", "), table(results))
	for _, res := range results {
		if res.err != nil {
			t.Errorf("%s, %s after the load had begun and %s long: %v", res.kind, res.begun.Sub(l.begun), res.took, res.err)
		}
	}
	r.halt()
}

// scrapes reads the metrics again and again, at the address that they had at first. The function that it returns ends
// that, and says what failed: a Prometheus would have a hole there, and an alert.
func (r *rig) scrapes() func() {
	r.t.Helper()
	line, err := r.journal.wait("where the metrics are", metricsURL.MatchString, 0, r.ended)
	if err != nil {
		r.t.Fatal(err)
	}
	url := metricsURL.FindStringSubmatch(line)[1]
	end, all := make(chan struct{}), sync.WaitGroup{}
	versions := map[string]int{}
	var failed []error
	all.Go(func() {
		c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
		for {
			version, err := builtBy(&c, url)
			if err != nil {
				failed = append(failed, err)
			}
			versions[version]++
			select {
			case <-end:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	return func() {
		r.t.Helper()
		close(end)
		all.Wait()
		if len(failed) > 0 || len(versions) != *upgrades+1 {
			r.t.Errorf("scrapes by version: %v; %d have failed: %v", versions, len(failed), errors.Join(failed...))
		}
	}
}

var (
	metricsURL = regexp.MustCompile(`"url":"(http://127\.0\.0\.1:\d+/metrics)"`)
	buildInfo  = regexp.MustCompile(`gitd_build_info\{.*version="([^"]+)"`)
)

// builtBy is the version of the gitd that answers a scrape.
func builtBy(c *http.Client, url string) (string, error) {
	res, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	m := buildInfo.FindSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("no version in a scrape of %d bytes, status %d", len(text), res.StatusCode)
	}
	return string(m[1]), nil
}

func (r *rig) commitAndPush(t *testing.T) (int, any) {
	t.Helper()
	r.edit("load", "after", map[string]string{"after.txt": "after"})
	return pushed(t, r, "load")
}

// refusesBadOnes: what is on disk is no gitd, a gitd that refuses a flag of this one's, or one that ends before it
// serves. The one that runs goes on, and says why.
func (r *rig) refusesBadOnes(b *builds) {
	r.t.Helper()
	pid := r.pid()
	for what, c := range map[string]struct{ program, want string }{
		"no program":     {"that is no program\n", "exec format error"},
		"an older one":   {"#!/bin/sh\necho 'Error: unknown flag: --check' >&2; exit 1\n", "unknown flag: --check"},
		"one that fails": {"#!/bin/sh\ncase \"$*\" in *--check*) exit 0;; esac; exit 7\n", "exit status 7"},
	} {
		b.put("gitd", []byte(c.program))
		up := r.start(r.hostCommand("upgrade"))
		if <-up.done; up.err == nil || !strings.Contains(up.out.String(), c.want) {
			r.t.Errorf("%s: %v\n%s, want %q", what, up.err, up.out, c.want)
		}
		if got := r.pid(); got != pid {
			r.t.Errorf("%s: process %d, and now %d", what, pid, got)
		}
	}
	b.install(1)
}

// hostCommand is a command on the host, by a gitd that no upgrade replaces.
func (r *rig) hostCommand(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(bin, "gitd"), args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GITD_STATE=" + r.state}
	return cmd
}

func upgradeSays(p *push, text string) error {
	if strings.Contains(p.out.String(), text) {
		return nil
	}
	return fmt.Errorf("it does not say %q", text)
}

func packNoise(t *testing.T, size int) string {
	t.Helper()
	b := make([]byte, size)
	if _, err := io.ReadFull(rand.Reader, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// slowLink passes connections on, and stops after some bytes of a client until it is released.
type slowLink struct {
	addr string
	full chan struct{} // closed when it has stopped
	on   chan struct{}
}

const linkTakes = 200 << 10 // bytes

func newSlowLink(t *testing.T, to string) *slowLink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &slowLink{addr: l.Addr().String(), full: make(chan struct{}), on: make(chan struct{})}
	var stopped atomic.Bool
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go s.pass(in, to, &stopped)
		}
	}()
	return s
}

func (s *slowLink) pass(in net.Conn, to string, stopped *atomic.Bool) {
	defer in.Close()
	out, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer out.Close()
	go func() {
		io.CopyN(out, in, linkTakes) //nolint:errcheck // a short one ends below
		if stopped.CompareAndSwap(false, true) {
			close(s.full)
		}
		<-s.on
		io.Copy(out, in) //nolint:errcheck // the client's end shows it
	}()
	io.Copy(in, out) //nolint:errcheck // likewise
}

func (s *slowLink) release() { close(s.on) }
