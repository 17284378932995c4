package repo

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// litter makes so many loose objects that git runs a gc, old enough to be pruned, and returns one of them.
func litter(t *testing.T, dir string) string {
	t.Helper()
	files := t.TempDir()
	var paths strings.Builder
	for n := range 1000 {
		path := filepath.Join(files, strconv.Itoa(n))
		// The same objects in each run: how many of them are in objects/17 decides whether git finds that enough.
		if err := os.WriteFile(path, []byte("litter "+strconv.Itoa(n)), 0o600); err != nil {
			t.Fatal(err)
		}
		paths.WriteString(path + "\n")
	}
	hash := newGit(dir, "-c", "core.fsync=none", "hash-object", "-w", "--stdin-paths")
	hash.Stdin = strings.NewReader(paths.String())
	out, err := hash.Output()
	if err != nil || worthwhile(t, dir) < 2 {
		t.Fatalf("%v; %d files in objects/17", err, worthwhile(t, dir))
	}
	age(t, dir, 48*time.Hour)
	return string(out[:40])
}

// worthwhile counts the files from which git estimates how many loose objects there are.
func worthwhile(t *testing.T, dir string) int {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "objects/17/*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// age sets the modification time of all objects back.
func age(t *testing.T, dir string, by time.Duration) {
	t.Helper()
	old := time.Now().Add(-by)
	err := filepath.WalkDir(filepath.Join(dir, "objects"), func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Chtimes(path, old, old))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestTidy: objects that the branch or a kept release needs stay, and so do those that a push has just brought. The
// others are removed, and loose objects are packed.
func TestTidy(t *testing.T) {
	r, state := newRepos(t)
	dir := state.Repo("shop")
	live, kept, gone := commitIn(t, dir, "live"), commitIn(t, dir, "kept"), commitIn(t, dir, "gone")
	if err := r.Point(t.Context(), "shop", "main", live); err != nil {
		t.Fatal(err)
	}
	loose := litter(t, dir)
	young := commitIn(t, dir, "a push that is being built")
	missing := strings.Repeat("1", 40)
	// After rollbacks and changes of config, releases have the same commit: such a repository was never tidied.
	for range 2 {
		if err := r.Tidy(t.Context(), "shop", []string{live, kept, missing, live, kept, live, kept}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		what, id string
		want     bool
	}{{"live", live, true}, {"kept", kept, true}, {"young", young, true}, {"gone", gone, false}, {"litter", loose, false}} {
		if got := newGit(dir, "cat-file", "-e", tt.id).Run() == nil; got != tt.want {
			t.Errorf("%s is there: %t, want %t", tt.what, got, tt.want)
		}
	}
	if n := worthwhile(t, dir); n > 1 {
		t.Errorf("%d loose objects left in objects/17", n)
	}
	// A release that is no longer kept loses its ref.
	if err := r.Tidy(t.Context(), "shop", []string{live}); err != nil {
		t.Fatal(err)
	}
	refs := runGit(t, dir, "for-each-ref", "--format=%(refname)")
	if want := "refs/gitd/kept/" + live + "\nrefs/heads/main"; refs != want {
		t.Errorf("refs:\n%s\nwant:\n%s", refs, want)
	}
}

// TestTidyMakesWay: a tidying waits for a push that runs, and a tidying that runs ends when a push comes.
func TestTidyMakesWay(t *testing.T) {
	g := gate{sweep: func() error { return nil }}
	pushed := g.push()
	began := make(chan struct{})
	var tidying context.Context
	var done func()
	go func() {
		defer close(began)
		var err error
		if tidying, done, err = g.tidy(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-began:
		t.Fatal("the tidying began during a push")
	case <-time.After(20 * time.Millisecond): // only makes a failure likely to be seen
	}
	if err := pushed(); err != nil {
		t.Error(err)
	}
	<-began
	if _, _, err := g.tidy(t.Context()); err == nil {
		t.Error("two at once")
	}
	go func() {
		<-tidying.Done()
		done()
	}()
	if err := g.push()(); err != nil {
		t.Error(err)
	}
	if tidying.Err() == nil {
		t.Error("the push did not end the tidying")
	}
	again, done, err := g.tidy(t.Context())
	if err != nil || again.Err() != nil {
		t.Fatalf("after it: %v, %v", err, again)
	}
	done()
	ctx, cancel := context.WithCancel(t.Context())
	defer g.push()() //nolint:errcheck // a test's
	cancel()
	if _, _, err := g.tidy(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
}

// TestTidyLeavesThePushAlone: real pushes and tidyings of one repository run at the same time. Every push succeeds, and
// its objects are there.
func TestTidyLeavesThePushAlone(t *testing.T) {
	r, state := newRepos(t)
	work := t.TempDir()
	runGit(t, work, "init", "-q", "-b", "main")
	runGit(t, state.Repo("shop"), "config", "receive.procReceiveRefs", "refs/none") // no daemon here
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
				if err := r.Tidy(t.Context(), "shop", nil); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	last := ""
	for n := range 4 {
		runGit(t, work, "commit", "-q", "--allow-empty", "-m", strconv.Itoa(n))
		next := runGit(t, work, "rev-parse", "HEAD")
		receive(t, r, work, last, next)
		last = next
	}
	close(stop)
	<-ended
	runGit(t, state.Repo("shop"), "fsck", "--connectivity-only")
	if got := runGit(t, state.Repo("shop"), "rev-parse", "main"); got != last {
		t.Errorf("main is at %s, want %s", got, last)
	}
}

// receive pushes the commit to as the server sees a push, with the whole history in it.
func receive(t *testing.T, r *Repos, work, from, to string) {
	t.Helper()
	if from == "" {
		from = strings.Repeat("0", 40)
	}
	pack := newGit(work, "pack-objects", "--revs", "--stdout", "-q")
	pack.Stdin = strings.NewReader(to + "\n")
	objects, err := pack.Output()
	if err != nil {
		t.Fatal(err)
	}
	line := from + " " + to + " refs/heads/main\x00report-status"
	var in, out, said bytes.Buffer
	in.WriteString(pkt(line) + "0000")
	in.Write(objects)
	q, err := r.Quarantine("shop")
	if err != nil {
		t.Fatal(err)
	}
	defer q.Drop() //nolint:errcheck // a test's
	code, err := r.Serve(Call{App: "shop", Service: ReceivePack, Quarantine: q, In: &in, Out: &out, Err: &said})
	if err != nil || code != 0 || !strings.Contains(out.String(), "ok refs/heads/main") {
		t.Fatalf("push: %d, %v: %q %s", code, err, out.String(), said.String())
	}
	sealed, err := q.Seal()
	if err == nil {
		_, err = r.accept("shop", sealed)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func pkt(s string) string {
	n := strconv.FormatInt(int64(len(s)+4), 16)
	return strings.Repeat("0", 4-len(n)) + n + s
}
