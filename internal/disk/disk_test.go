package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// small mounts a file system of so many bytes, with room for so many files (0: as many as fit).
func small(t *testing.T, bytes, files int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,nr_inodes=%d", bytes, files)); err != nil {
		t.Skipf("mounting a small file system needs root: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, 0) }) //nolint:errcheck // the test has ended
	return dir
}

// TestSpaceOf: what is written is no longer free.
func TestSpaceOf(t *testing.T) {
	dir := small(t, 8<<20, 100)
	before, err := SpaceOf(dir)
	check(t, err)
	if before.Size != 8<<20 || before.Free > before.Size || before.Files < 90 || before.Files > 100 {
		t.Errorf("an empty file system has %+v", before)
	}
	check(t, os.WriteFile(filepath.Join(dir, "x"), make([]byte, 3<<20), 0o600))
	after, err := SpaceOf(dir)
	check(t, err)
	if after.Free != before.Free-3<<20 || after.Files != before.Files-1 || after.Size != before.Size {
		t.Errorf("after a file of 3 MiB: %+v, before: %+v", after, before)
	}
	if _, err := SpaceOf(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such folder: %v", err)
	}
}

func TestFull(t *testing.T) {
	for _, err := range []error{syscall.ENOSPC, &os.PathError{Op: "write", Path: "x", Err: syscall.EDQUOT}} {
		if rej := Full(err); rej == nil || !errors.Is(rej, err) || rej.Hint != FreeRoom {
			t.Errorf("%v is %+v", err, rej)
		}
	}
	for _, err := range []error{nil, syscall.EIO} {
		if rej := Full(err); rej != nil {
			t.Errorf("%v is %+v", err, rej)
		}
	}
}

func TestExplain(t *testing.T) {
	cause := errors.New("exit status 1")
	for said, want := range map[string]bool{
		"npm error code ENOSPC":          true,
		"write: No space left on device": true,
		"npm error code ENOENT":          false,
		"":                               false,
	} {
		err := Explain(cause, said)
		if errors.Is(err, syscall.ENOSPC) != want || !errors.Is(err, cause) {
			t.Errorf("%q: %v", said, err)
		}
	}
	if Explain(nil, "ENOSPC") != nil {
		t.Error("what did not fail has an error")
	}
}

// TestExplainBySpace: a program that only fails has failed for a full disk where the disk is full.
func TestExplainBySpace(t *testing.T) {
	dir, cause := small(t, 1<<20, 0), errors.New("git says couldn't write")
	if err := ExplainBySpace(cause, dir); errors.Is(err, syscall.ENOSPC) || !errors.Is(err, cause) {
		t.Errorf("with room: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x"), make([]byte, 2<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	if err := ExplainBySpace(cause, dir); !errors.Is(err, syscall.ENOSPC) || !errors.Is(err, cause) {
		t.Errorf("without room: %v", err)
	}
	if ExplainBySpace(nil, dir) != nil || ExplainBySpace(cause, filepath.Join(dir, "none")) != cause { //nolint:errorlint // it is the same
		t.Error("it explains what it does not know")
	}
}

func TestSyncFolder(t *testing.T) {
	dir := t.TempDir()
	check(t, SyncFolder(dir))
	if err := SyncFolder(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such folder: %v", err)
	}
}

// TestRemoveAll: folders that their owner may not enter go too, for an ordinary user as for root.
func TestRemoveAll(t *testing.T) {
	ordinary(t)
	dir := filepath.Join(t.TempDir(), "build")
	check(t, os.MkdirAll(filepath.Join(dir, "a/b/c"), 0o755))
	check(t, os.WriteFile(filepath.Join(dir, "a/b/c/file"), nil, 0o400))
	for _, locked := range []string{"a/b/c", "a/b", "a"} {
		check(t, os.Chmod(filepath.Join(dir, locked), 0))
	}
	check(t, RemoveAll(dir))
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	check(t, RemoveAll(dir)) // nothing is there
}

// TestRemoveDeepTree: a build left folders nested deeper than gitd has descriptors, and than a path may be long. They
// could not be removed, and the next start failed.
func TestRemoveDeepTree(t *testing.T) {
	const deep = 5_000
	top := filepath.Join(t.TempDir(), "build")
	check(t, os.MkdirAll(filepath.Join(top, "other", "x"), 0o755))
	nest(t, top, deep, func(at *os.Root, n int) {
		if n%1000 == 0 {
			check(t, at.WriteFile("file", nil, 0o600))
		}
	})
	fewDescriptors(t)
	check(t, RemoveAll(top))
	if _, err := os.Lstat(top); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}

// TestRemoveFollowsNoLink: neither the folder itself nor what is in it may lead elsewhere.
func TestRemoveFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(dir, "kept", "sub"), 0o755))
	check(t, os.MkdirAll(filepath.Join(dir, "build", "a"), 0o755))
	check(t, os.Symlink("../../kept", filepath.Join(dir, "build", "a", "out")))
	check(t, os.Symlink("kept", filepath.Join(dir, "link")))
	check(t, RemoveAll(filepath.Join(dir, "build")))
	check(t, RemoveAll(filepath.Join(dir, "link")))
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left are %v, %v", entries, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "kept", "sub")); err != nil {
		t.Error(err)
	}
}

// ordinary runs the test once more as somebody who is not root, if it is root that runs it.
func ordinary(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 || os.Getenv("GITD_TEST_ORDINARY") != "" {
		return
	}
	home := t.TempDir()
	check(t, os.Chmod(filepath.Dir(home), 0o755))
	check(t, os.Chown(home, 65534, 65534))
	self, err := os.ReadFile("/proc/self/exe")
	check(t, err)
	program := filepath.Join(home, "disk.test")
	check(t, os.WriteFile(program, self, 0o755))
	cmd := exec.CommandContext(t.Context(), program, "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Dir, cmd.Env = home, []string{"TMPDIR=" + home, "GITD_TEST_ORDINARY=1"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("as an ordinary user: %v\n%s", err, out)
	}
}
