package service

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// somebody is a user whom the host does not need to know.
var somebody = Account{Name: "somebody", UID: 58491, GID: 58491}

const (
	qemu  = 58492 // whose files a gitd of root gave away
	other = 58493 // who has nothing to do with it
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func root(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
}

// open is a folder into which every user may go; t.TempDir has parents that nobody else may enter.
func open(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "service")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	check(t, os.Chmod(dir, 0o755))
	return dir
}

func file(t *testing.T, path string, uid int) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	check(t, os.WriteFile(path, nil, 0o600))
	check(t, os.Lchown(path, uid, uid))
}

func ownerOf(t *testing.T, path string) int {
	t.Helper()
	info, err := os.Lstat(path)
	check(t, err)
	return owner(info)
}

func TestLookup(t *testing.T) {
	if _, err := Lookup("nobody-of-this-name"); err == nil || !strings.Contains(err.Error(), "scripts/setup") {
		t.Errorf("a user that does not exist: %v", err)
	}
	if _, err := Lookup("root"); err == nil || !strings.Contains(err.Error(), "--user") {
		t.Errorf("root: %v", err)
	}
	a, err := Lookup("nobody")
	if err != nil || a.UID != 65534 || !slices.Contains(a.Groups, a.GID) {
		t.Errorf("nobody: %+v, %v", a, err)
	}
}

// TestHandOver: the state folder of a gitd that stayed root is handed over, with what QEMU's user and builds had in it,
// and nothing else is: neither what a link leads to, nor what belongs to a user of its own.
func TestHandOver(t *testing.T) {
	root(t)
	dir := open(t)
	state, outside := filepath.Join(dir, "state"), filepath.Join(dir, "outside")
	file(t, filepath.Join(outside, "secret"), 0)
	file(t, filepath.Join(state, "gitd.db"), 0)
	file(t, filepath.Join(state, "volumes/v.ext4"), qemu)
	file(t, filepath.Join(state, "elsewhere/file"), other)
	file(t, filepath.Join(state, lostAndFound, "x"), 0)
	check(t, os.Symlink(outside, filepath.Join(state, "folder")))
	check(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(state, "volumes/link")))
	f := Folder{Path: state, From: []int{qemu}}
	is := func(want State) {
		t.Helper()
		if got, err := f.State(somebody); got != want || err != nil {
			t.Fatalf("the folder is %d, %v; want %d", got, err, want)
		}
	}
	is(OfRoot)
	changed, err := f.HandOver(somebody)
	check(t, err)
	if changed != 7 { // state, gitd.db, volumes, v.ext4, link, elsewhere, folder
		t.Errorf("%d files were handed over", changed)
	}
	for path, want := range map[string]int{
		"": somebody.UID, "gitd.db": somebody.UID, "volumes": somebody.UID, "volumes/v.ext4": somebody.UID, "volumes/link": somebody.UID,
		"folder": somebody.UID, "elsewhere/file": other, lostAndFound: 0, lostAndFound + "/x": 0, "../outside": 0, "../outside/secret": 0,
	} {
		if got := ownerOf(t, filepath.Join(state, path)); got != want {
			t.Errorf("%s belongs to %d, want %d", path, got, want)
		}
	}
	is(Ready)
	file(t, filepath.Join(state, "layers/new"), 0)
	is(Mixed)
	if changed, err = f.HandOver(somebody); changed != 2 || err != nil {
		t.Errorf("%d files were handed over, %v", changed, err)
	}
	is(Ready)
	check(t, os.Lchown(state, other, other))
	is(Stranger)
}

// TestSecondName: somebody who may write in the folder gives a name in it to a file of root's. Where the kernel does
// not refuse that, the file stays root's.
func TestSecondName(t *testing.T) {
	root(t)
	dir := open(t)
	file(t, filepath.Join(dir, "shadow"), 0)
	state := filepath.Join(dir, "state")
	check(t, os.Mkdir(state, 0o755))
	check(t, os.Link(filepath.Join(dir, "shadow"), filepath.Join(state, "mine")))
	want := 0
	if linksProtected() { // then only root can have made it
		want = somebody.UID
	}
	_, err := Folder{Path: state}.HandOver(somebody)
	check(t, err)
	if got := ownerOf(t, filepath.Join(dir, "shadow")); got != want {
		t.Errorf("it belongs to %d, want %d", got, want)
	}
}

// TestDeepTree: a build has left a tree of folders that is deeper than a process may have open files. The start does
// not fail, and the last of them is handed over.
func TestDeepTree(t *testing.T) {
	root(t)
	state := filepath.Join(open(t), "state")
	check(t, os.Mkdir(state, 0o755))
	var limit unix.Rlimit
	check(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	const files, deep = 64, 500
	fd, err := unix.Open(state, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	check(t, err)
	for range deep {
		check(t, unix.Mkdirat(fd, "d", 0o755))
		next, err := unix.Openat(fd, "d", unix.O_RDONLY|unix.O_DIRECTORY, 0)
		check(t, err)
		check(t, unix.Close(fd))
		fd = next
	}
	defer unix.Close(fd)
	check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: files, Max: limit.Max}))
	changed, err := Folder{Path: state}.HandOver(somebody)
	check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	check(t, err)
	var st unix.Stat_t
	check(t, unix.Fstat(fd, &st))
	if changed != deep+1 || int(st.Uid) != somebody.UID {
		t.Errorf("%d folders were handed over, and the deepest belongs to %d", changed, st.Uid)
	}
}

// TestBlocked: which folder is in the way is said by the kernel itself, access control lists included.
func TestBlocked(t *testing.T) {
	root(t)
	private := filepath.Join(open(t), "private")
	check(t, os.Mkdir(private, 0o700))
	state := filepath.Join(private, "a/state")
	for mode, want := range map[fs.FileMode]string{0o700: private, 0o711: ""} {
		check(t, os.Chmod(private, mode))
		if got, err := somebody.Blocked(state); got != want || err != nil {
			t.Errorf("with mode %o: %q, %v", mode, got, err)
		}
	}
}

// TestProgram: gitd lies where only root may go, and a copy beside the state runs; it is renewed when gitd is.
func TestProgram(t *testing.T) {
	root(t)
	dir := open(t)
	home, state := filepath.Join(dir, "root"), filepath.Join(dir, "state")
	check(t, os.Mkdir(home, 0o755))
	check(t, os.Mkdir(state, 0o755))
	check(t, os.Lchown(state, somebody.UID, somebody.GID))
	gitd := filepath.Join(home, "gitd")
	program := func(text string) string {
		t.Helper()
		check(t, os.WriteFile(gitd, []byte("#!/bin/sh\necho "+text+"\n"), 0o755))
		path, err := somebody.Program(gitd, filepath.Join(state, "bin"), "init", "absent")
		check(t, err)
		return path
	}
	check(t, os.WriteFile(filepath.Join(home, "init"), nil, 0o755))
	if got := program("one"); got != gitd {
		t.Errorf("a program that can be run is copied to %s", got)
	}
	check(t, os.Chmod(home, 0o700))
	for _, text := range []string{"two", "three and more"} {
		path := program(text)
		out, err := exec.Command(path).Output()
		if path != filepath.Join(state, "bin/gitd") || string(out) != text+"\n" || err != nil {
			t.Errorf("%s says %q, %v", path, out, err)
		}
		if !somebody.CanRun(path) || !somebody.CanRun(filepath.Join(state, "bin/init")) {
			t.Error("the copies cannot be run")
		}
	}
	before, err := os.Stat(filepath.Join(state, "bin/init"))
	check(t, err)
	program("four")
	if after, err := os.Stat(filepath.Join(state, "bin/init")); err != nil || !os.SameFile(before, after) {
		t.Errorf("what is the same was copied again: %v", err)
	}
}

// TestProgramIntoLink: the user has made the folder of copies a link to a folder of root's. Root writes nothing there.
func TestProgramIntoLink(t *testing.T) {
	root(t)
	dir := open(t)
	home, state, etc := filepath.Join(dir, "root"), filepath.Join(dir, "state"), filepath.Join(dir, "etc")
	for _, d := range []string{home, state, etc} {
		check(t, os.Mkdir(d, 0o700))
	}
	file(t, filepath.Join(home, "gitd"), 0)
	check(t, os.Symlink(etc, filepath.Join(state, "bin")))
	if path, err := somebody.Program(filepath.Join(home, "gitd"), filepath.Join(state, "bin")); err == nil {
		t.Errorf("copied to %s", path)
	}
	if entries, err := os.ReadDir(etc); len(entries) > 0 || err != nil || ownerOf(t, etc) != 0 {
		t.Errorf("root has written %v, %v", entries, err)
	}
}

func TestKeptEnv(t *testing.T) {
	got := keptEnv([]string{
		"PATH=/bin", "HOME=/root", "SSH_AUTH_SOCK=/tmp/x", "GITD_DOMAIN=a=b", "npm_config_registry=r", "LD_PRELOAD=/x.so", "XDG_RUNTIME_DIR=/run/user/0",
		"https_proxy=p", "NOTIFY_SOCKET=@n", "LC_ALL=C", "AWS_SECRET_ACCESS_KEY=k", "PATHS=no",
	})
	want := []string{"PATH=/bin", "GITD_DOMAIN=a=b", "npm_config_registry=r", "https_proxy=p", "NOTIFY_SOCKET=@n", "LC_ALL=C"}
	if !slices.Equal(got, want) {
		t.Errorf("kept %q", got)
	}
}

// TestExec: after the exec there is the account, with its groups, and no capability.
func TestExec(t *testing.T) {
	if os.Getenv("SERVICE_TEST_EXEC") != "" {
		a, err := Lookup("nobody")
		check(t, err)
		t.Fatal(a.Exec(Start{Program: "/bin/cat", Args: []string{"/proc/self/status", "/proc/self/environ"}, Home: "/tmp", Env: []string{"ADDED=1"}}))
	}
	root(t)
	self, err := os.Executable()
	check(t, err)
	cmd := exec.Command(self, "-test.run=^TestExec$")
	cmd.Env = []string{"SERVICE_TEST_EXEC=1", "PATH=" + os.Getenv("PATH"), "SECRET=1"}
	out, err := cmd.CombinedOutput()
	check(t, err)
	if pid := fmt.Sprintf("Pid:\t%d\n", cmd.Process.Pid); !strings.Contains(string(out), pid) {
		t.Errorf("it is another process")
	}
	for _, want := range []string{
		"Uid:\t65534\t65534\t65534\t65534\n", "Gid:\t65534\t65534\t65534\t65534\n",
		"CapInh:\t0000000000000000\n", "CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n",
		"CapBnd:\t00000000002000c2\n", "CapAmb:\t0000000000000000\n", "ADDED=1\x00", "HOME=/tmp\x00", "USER=nobody\x00",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(string(out), "SECRET") {
		t.Error("the environment of root's shell is kept")
	}
}

// TestOwn: one file of root's is given away, and a link to one is not followed.
func TestOwn(t *testing.T) {
	root(t)
	dir := open(t)
	file(t, filepath.Join(dir, "lock"), 0)
	file(t, filepath.Join(dir, "secret"), 0)
	check(t, os.Symlink(filepath.Join(dir, "secret"), filepath.Join(dir, "link")))
	check(t, somebody.Own(filepath.Join(dir, "lock")))
	check(t, somebody.Own(filepath.Join(dir, "link")))
	if ownerOf(t, filepath.Join(dir, "lock")) != somebody.UID || ownerOf(t, filepath.Join(dir, "secret")) != 0 {
		t.Error("the owners are wrong")
	}
}
