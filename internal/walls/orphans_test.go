package walls

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestOrphans: bubblewrap, as a gitd that was killed in its first milliseconds leaves it, is ended by the next gitd of
// the same state folder, and by no other.
func TestOrphans(t *testing.T) {
	bwrap, err := exec.LookPath("bwrap")
	if err != nil {
		t.Skip("bwrap is not here: run scripts/setup")
	}
	dir := t.TempDir()
	shown := filepath.Join(dir, "repos")
	if err := os.Mkdir(shown, 0o700); err != nil {
		t.Fatal(err)
	}
	// The first process ends when the second has begun, without --die-with-parent: so it looks after that race.
	leave := exec.Command("sh", "-c", `exec 3<&0; "$0" --dev-bind / / --bind "$1" "$1" cat <&3 >/dev/null 2>&1 & echo $!`, bwrap, shown)
	from, to, err := os.Pipe() // with its end, cat ends, however the test does
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	leave.Stdin = from
	out, err := leave.Output()
	from.Close()
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(pid, syscall.SIGKILL) //nolint:errcheck // it has ended, unless the test fails
	if subreaper(t) {
		return // somebody else than the first of all processes collects orphans here
	}
	until(t, "it has begun, and nobody is its parent", func() bool { return orphan(filepath.Join("/proc", strconv.Itoa(pid)), dir) })
	if Orphans(dir + "-other"); syscall.Kill(pid, 0) != nil {
		t.Error("another gitd has ended it")
	}
	if n := Orphans(dir); n == 0 {
		t.Error("nothing was ended")
	}
	if orphan(filepath.Join("/proc", strconv.Itoa(pid)), dir) {
		t.Error("it has not ended")
	}
	held := exec.Command(bwrap, "--dev-bind", "/", "/", "--bind", shown, shown, "cat")
	in, err := held.StdinPipe()
	if err = errors.Join(err, held.Start()); err != nil {
		t.Fatal(err)
	}
	if n := Orphans(dir); n != 0 {
		t.Errorf("%d of a gitd that runs were ended", n)
	}
	if err := errors.Join(in.Close(), held.Wait()); err != nil {
		t.Error(err)
	}
}

// subreaper reports whether orphans of this test get another parent than the first of all processes.
func subreaper(t *testing.T) bool {
	t.Helper()
	out, err := exec.Command("sh", "-c", "(sleep 1 >/dev/null 2>&1 & echo $!) | cat").Output()
	pid, err2 := strconv.Atoi(strings.TrimSpace(string(out)))
	if err = errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(pid, syscall.SIGKILL) //nolint:errcheck // it ends by itself
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(stat))[3] != "1"
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) { // there is no event for it
		if time.Now().After(limit) {
			t.Fatalf("not in time: %s", what)
		}
	}
}
