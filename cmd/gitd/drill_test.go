package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var drill = flag.Bool("drill", false, "make a backup of three apps under load, through age and restic, and restore it elsewhere")

// writer writes lines all the time, each on disk before the next, and says how long the slowest took.
const writer = `const fs = require('fs')
const fd = fs.openSync('/data/log', 'a+')
let n = fs.readFileSync('/data/log', 'utf8').split('\n').length - 1, slow = 0
setInterval(() => {
  const t = process.hrtime.bigint()
  fs.writeSync(fd, ++n + '\n')
  fs.fsyncSync(fd)
  slow = Math.max(slow, Number(process.hrtime.bigint() - t) / 1e6)
}, 5)
require('http').createServer((req, res) => {
  res.end('slowest ' + slow.toFixed(0) + '\n')
  slow = 0
}).listen(process.env.PORT)
`

// TestDrill: a server with three apps, one of which writes all the time, is backed up through age and restic, restored
// into another state folder, and serves there: all apps answer, and the volume has every byte of the backup.
func TestDrill(t *testing.T) {
	if !*drill {
		t.Skip("takes minutes, and needs age and restic: make test-backup")
	}
	from := newRig(t, filepath.Join(bin, "gitd"), "")
	from.serve()
	from.admit()
	apps := []string{"log", "one", "two"}
	for _, app := range apps {
		from.repo(app, filepath.Join("..", "..", "templates", "apps", "hello"))
		if app == "log" {
			from.edit(app, "writer", map[string]string{"server.js": writer})
			from.gitd("apps:create", app)
			from.gitd("volumes:create", app, "data", "--size", "1G")
		}
		from.git(app, "push", "nodeos", "main")
	}
	c := from.client(false)
	from.get(c, "log", "/") //nolint:errcheck // to forget the slowest of the start
	_, calm, err := from.get(c, "log", "/")
	if err != nil {
		t.Fatal(err)
	}
	dir := from.work
	sh := func(script string) string { return from.must(drillShell(from, script)) }
	sh("age-keygen -o key.txt 2>pub.txt")
	began := time.Now()
	sh("gitd backup --with-key --layers 2>said | age -r $(grep -o 'age1.*' pub.txt) > all.age")
	took := time.Since(began)
	_, slow, err := from.get(c, "log", "/")
	if err != nil {
		t.Fatal(err)
	}
	said, _ := os.ReadFile(filepath.Join(dir, "said"))
	t.Logf("%s, of it:\n%swithout a backup: %swith it: %s", took, said, calm, slow)
	sh("restic init -q && gitd backup --with-key | restic backup -q --stdin --stdin-filename gitd.tar && restic dump -q latest gitd.tar | gitd backup:check -")
	sh("age -d -i key.txt all.age > all.tar && gitd backup:check all.tar")
	from.kill()

	to := newRig(t, filepath.Join(bin, "gitd"), "")
	to.gitd("restore", filepath.Join(dir, "all.tar"))
	want, got := volumeIn(t, filepath.Join(dir, "all.tar"), 1<<30), volumeOf(t, to.state)
	if want != got {
		t.Errorf("the volume is %s, and was %s", got, want)
	}
	checkLog(t, to.state)
	to.serve()
	client := to.client(false)
	for _, app := range apps {
		if err := to.eventually(func() error {
			if status, body, err := to.get(client, app, "/"); err != nil || status != 200 {
				return fmt.Errorf("%s answers %d, %w: %s", app, status, err, body)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	to.halt()
}

func drillShell(r *rig, script string) *exec.Cmd {
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = r.work
	cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + r.work, "GITD_STATE=" + r.state, "RESTIC_PASSWORD=x", "RESTIC_REPOSITORY=" + r.work + "/restic"}
	return cmd
}

// volumeIn is the SHA-256 of the only volume in a backup, put together from its parts by other means than gitd's.
func volumeIn(t *testing.T, backup string, size int64) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("tar", "-C", dir, "-xf", backup, "--wildcards", "volumes/*").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	parts, err := filepath.Glob(filepath.Join(dir, "volumes", "*", "*"))
	if err != nil || len(parts) == 0 {
		t.Fatalf("%v, %v", parts, err)
	}
	slices.Sort(parts)
	sum, at := sha256.New(), int64(0)
	zeros := func(n int64) {
		if _, err := io.Copy(sum, io.LimitReader(zeroes{}, n)); err != nil {
			t.Fatal(err)
		}
		at += n
	}
	for _, p := range parts {
		offset, err := strconv.ParseInt(filepath.Base(p), 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		zeros(offset - at)
		sum.Write(text)
		at += int64(len(text))
	}
	zeros(size - at)
	return hex.EncodeToString(sum.Sum(nil))
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func theVolume(t *testing.T, state string) string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(state, "volumes", "*.ext4"))
	if err != nil || len(all) != 1 {
		t.Fatalf("%v, %v", all, err)
	}
	return all[0]
}

func volumeOf(t *testing.T, state string) string {
	t.Helper()
	f, err := os.Open(theVolume(t, state))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// checkLog checks the file system, and that the lines in it are 1, 2, 3 and so on.
func checkLog(t *testing.T, state string) {
	t.Helper()
	path := theVolume(t, state)
	if out, err := exec.Command("/sbin/e2fsck", "-fn", path).CombinedOutput(); err != nil {
		t.Errorf("not clean: %v\n%s", err, out)
	}
	out, err := exec.Command("/sbin/debugfs", "-R", "cat /log", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(bytes.TrimSpace(out)))
	if len(lines) == 0 {
		t.Error("the log is empty")
	}
	for i, l := range lines {
		if l != fmt.Sprint(i+1) {
			t.Fatalf("line %d is %q", i+1, l)
		}
	}
}
