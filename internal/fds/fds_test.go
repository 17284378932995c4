package fds

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestKeep: a socket that somebody has opened without the mark is not in a process that is started, and a file that it
// is given is.
func TestKeep(t *testing.T) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	given, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer given.Close()
	list := func() string {
		cmd := exec.Command("ls", "-l", "/proc/self/fd")
		cmd.ExtraFiles = []*os.File{given}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	if !strings.Contains(list(), "socket:") {
		t.Error("the socket is not in a process that is started before: the test shows nothing")
	}
	Keep()
	if got := list(); strings.Contains(got, "socket:") || !strings.Contains(got, "3 -> /dev/null") {
		t.Errorf("a process that is started after has:\n%s", got)
	}
}
