package backup

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/backup/archive"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// folder stands for the ledger and for git: it knows one app, and a repository is the bundle.
type folder struct{}

func (folder) Open(context.Context, core.StateDir) (Known, error) {
	return Known{Apps: []core.App{{Name: "shop"}}, Volumes: []core.Volume{{ID: "v1", App: "shop", Name: "data", Size: 4096}}}, nil
}

func (folder) Unbundle(_ context.Context, state core.StateDir, app string, _ []byte, from io.Reader) error {
	text, err := io.ReadAll(from)
	dir := filepath.Join(string(state), "repos", app+".git")
	return errors.Join(err, os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "HEAD"), text, 0o600))
}

// aBackup has one file of each kind.
func aBackup(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := archive.NewWriter(&b, archive.Head{Gitd: "1", Created: time.Now(), Secrets: true, Layers: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		ledgerName, keyName, "secrets/ssh/host_key", "secrets/certificates/acme/account.json", bundleName("shop"),
		extentName("v1", 0), layerName(strings.Repeat("a", 64)), layerName(strings.Repeat("b", 64)), baseName("0123", "root.erofs"),
	} {
		err = errors.Join(err, w.Bytes(name, []byte("the text of "+name)))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// dying ends its process by SIGKILL when it is asked for the n-th time after a restore has begun to move things.
type dying struct {
	context.Context
	moving string
	begun  bool
	n      int
}

func (d *dying) Err() error {
	if _, err := os.Stat(d.moving); err == nil {
		d.begun = true
	}
	if d.begun {
		if d.n--; d.n == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	return nil
}

// TestRestoreKilled kills a restore before each file that it puts into its place. What it leaves is no state that gitd
// begins on, and the next restore comes to the same end as one that nobody killed. Once, the mark of a restore was
// removed before the ledger was in its place: a restore that was killed between the two left a folder on which neither
// gitd nor a restore would go on.
func TestRestoreKilled(t *testing.T) {
	if n, err := strconv.Atoi(os.Getenv("RESTORE_KILLED_AT")); err == nil {
		d := core.StateDir(os.Getenv("RESTORE_STATE"))
		ctx := &dying{Context: t.Context(), moving: interrupted(d), n: n}
		if err := Restore(ctx, d, Wish{From: os.Stdin}, folder{}, progress.NewReport(nil)); err != nil {
			t.Fatal(err)
		}
		return
	}
	whole := core.StateDir(t.TempDir())
	backup := aBackup(t)
	if err := Restore(t.Context(), whole, Wish{From: bytes.NewReader(backup)}, folder{}, progress.NewReport(nil)); err != nil {
		t.Fatal(err)
	}
	want := files(t, whole)
	for n := 1; ; n++ {
		d := core.StateDir(t.TempDir())
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestRestoreKilled$")
		child.Env = append(os.Environ(), "RESTORE_KILLED_AT="+strconv.Itoa(n), "RESTORE_STATE="+string(d))
		child.Stdin = bytes.NewReader(backup)
		if out, err := child.CombinedOutput(); err == nil {
			if n < 8 {
				t.Fatalf("it was killed only %d times:\n%s", n-1, out)
			}
			break
		} else if child.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("%v\n%s", err, out)
		}
		if err := Unfinished(d); err == nil {
			t.Errorf("killed at %d: gitd would begin on what is there", n)
		}
		if err := Restore(t.Context(), d, Wish{From: bytes.NewReader(backup)}, folder{}, progress.NewReport(nil)); err != nil {
			t.Fatalf("killed at %d: %v", n, err)
		}
		if got := files(t, d); got != want {
			t.Errorf("killed at %d:\n%s\nwant\n%s", n, got, want)
		}
	}
}

// TestMarkStays: a restore that is killed when its ledger is in its place, and its mark is still there, is whole. gitd
// begins, and the mark goes: otherwise a later restore would take what is there for its own.
func TestMarkStays(t *testing.T) {
	d := core.StateDir(t.TempDir())
	if err := Restore(t.Context(), d, Wish{From: bytes.NewReader(aBackup(t))}, folder{}, progress.NewReport(nil)); err != nil {
		t.Fatal(err)
	}
	want := files(t, d)
	left := filepath.Join(string(stage(d)), "repos")
	err := errors.Join(os.WriteFile(interrupted(d), nil, 0o600), os.MkdirAll(left, 0o700), os.WriteFile(left+"/x.bundle", nil, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	if err := Unfinished(d); err != nil {
		t.Error(err)
	}
	if got := files(t, d); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// files are the files of a state folder with their contents, a line each.
func files(t *testing.T, d core.StateDir) string {
	t.Helper()
	var b strings.Builder
	root := os.DirFS(string(d))
	if err := fs.WalkDir(root, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := fs.ReadFile(root, path)
		b.WriteString(path + ": " + string(bytes.TrimRight(text, "\x00")) + "\n")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
