package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger"
)

// TestLostLedger: a start refuses a ledger that knows less than the folders, says what to type, and leaves everything
// as it was. A ledger that knows all of it, and a folder in which nothing is, are served.
func TestLostLedger(t *testing.T) {
	const restore, adopt = "gitd ledger:restore --state ", "gitd ledger:adopt --state "
	for name, tt := range map[string]struct {
		lose func(t *testing.T, s core.StateDir)
		want []string // in the error; none: it opens
	}{
		"nothing": {lose: func(*testing.T, core.StateDir) {}},
		"missing": {func(t *testing.T, s core.StateDir) { dropFiles(t, s.Ledger(), s.Ledger()+"-wal") },
			[]string{"missing or empty", "1 repository, 1 volume", restore, adopt, "empty state folder"}},
		"empty": {func(t *testing.T, s core.StateDir) { putFile(t, s.Ledger(), "") },
			[]string{"missing or empty", restore, adopt}},
		"empty, without copies": {func(t *testing.T, s core.StateDir) {
			putFile(t, s.Ledger(), "")
			noError(t, os.RemoveAll(filepath.Join(string(s), "ledger")))
		}, []string{"missing or empty", adopt}},
		"WAL lost": {func(t *testing.T, s core.StateDir) { dropFiles(t, s.Ledger()+"-wal") },
			[]string{"has lost what the folders beside it know: 1 repository, 1 volume", restore, adopt}},
		"a newer release": {func(t *testing.T, s core.StateDir) { relabel(t, s, 2) },
			[]string{"v2 of shop", restore, adopt}},
		"an app and its volume": {func(t *testing.T, s core.StateDir) {
			relabel(t, s, 1)
			change(t, s, forgetAll)
		},
			[]string{"the app shop, the volume data of shop", restore, adopt}},
		"damaged": {func(t *testing.T, s core.StateDir) {
			dropFiles(t, s.Ledger()+"-wal")
			putFile(t, s.Ledger(), strings.Repeat("my shopping list\n", 500))
		}, []string{"damaged", "`gitd ledger:restore`", "`gitd ledger:adopt`"}},
		"all destroyed, a layer is left": {lose: func(t *testing.T, s core.StateDir) {
			change(t, s, forgetAll)
			noError(t, os.RemoveAll(s.Repo("shop")))
			dropFiles(t, s.Volume(lostVolume.ID), core.LabelFiles(s).Volume(lostVolume.ID))
		}},
		"an app to which nothing was deployed, half removed": {lose: func(t *testing.T, s core.StateDir) {
			change(t, s, forgetAll)
			dropFiles(t, s.Volume(lostVolume.ID), core.LabelFiles(s).Volume(lostVolume.ID))
		}},
		"a repository of an older gitd": {func(t *testing.T, s core.StateDir) {
			change(t, s, forgetAll)
			dropFiles(t, s.Volume(lostVolume.ID), core.LabelFiles(s).Volume(lostVolume.ID), core.LabelFiles(s).App("shop"))
			putFile(t, filepath.Join(s.Repo("shop"), "HEAD"), "ref: refs/heads/main\n")
			putFile(t, filepath.Join(s.Repo("shop"), "refs", "heads", "main"), "x")
		}, []string{"the app shop", restore, adopt}},
		"a fresh start": {lose: func(t *testing.T, s core.StateDir) {
			noError(t, os.RemoveAll(string(s)))
			noError(t, s.Create())
		}},
	} {
		t.Run(name, func(t *testing.T) {
			state := abandoned(t)
			tt.lose(t, state)
			before := namesBelow(t, state)
			l, err := openLedger(t.Context(), state)
			if len(tt.want) == 0 {
				noError(t, err)
				noError(t, l.Close())
				return
			}
			if err == nil {
				t.Fatal("opened")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\ndoes not say %q", err, want)
				}
			}
			if !strings.Contains(strings.Join(tt.want, " "), restore) && strings.Contains(err.Error(), restore) {
				t.Errorf("there is nothing to restore: %v", err)
			}
			if after := namesBelow(t, state); after != before {
				t.Errorf("%s\nbecame\n%s", before, after)
			}
		})
	}
}

var lostVolume = core.Volume{ID: "shop-data-0a", App: "shop", Name: "data", Mount: "/data", Size: core.MinVolume,
	Created: time.Unix(1767225600, 0)}

// abandoned is the state folder of a gitd that was killed: its ledger's log is not folded.
func abandoned(t *testing.T) core.StateDir {
	t.Helper()
	state, ctx := core.StateDir(filepath.Join(t.TempDir(), "state")), t.Context()
	noError(t, state.Create())
	l, err := ledger.Open(ctx, state.Ledger())
	noError(t, err)
	_, err = l.CreateApp(ctx, "shop")
	noError(t, err)
	noError(t, l.AddVolume(ctx, lostVolume))
	noError(t, l.Record(ctx, core.Entry{Time: time.Now(), App: "shop", Action: "app.create"}))
	putFile(t, state.Volume(lostVolume.ID), "data")
	putFile(t, state.Layer(strings.Repeat("a", 64)), "layer")
	label, err := json.Marshal(lostVolume)
	noError(t, err)
	putFile(t, core.LabelFiles(state).Volume(lostVolume.ID), string(label))
	relabel(t, state, 0)
	return killed(t, l, state)
}

// killed is a copy of a state folder at the moment at which gitd is killed, with a dated copy of its ledger.
func killed(t *testing.T, l *ledger.Ledger, state core.StateDir) core.StateDir {
	t.Helper()
	to := core.StateDir(filepath.Join(t.TempDir(), "killed"))
	noError(t, os.CopyFS(string(to), os.DirFS(string(state))))
	noError(t, os.Chmod(to.Ledger()+".key", 0o600))
	noError(t, l.Close())
	whole, err := os.ReadFile(state.Ledger())
	noError(t, err)
	putFile(t, filepath.Join(string(to), "ledger", "gitd-20260301T120000Z.db"), string(whole))
	dropFiles(t, to.Ledger()+"-shm")
	return to
}

// relabel has the label of shop say that a version of it is live; 0: none.
func relabel(t *testing.T, state core.StateDir, version int) {
	t.Helper()
	l := core.AppLabel{App: core.App{Name: "shop", Branch: "main", Created: time.Now()}}
	if version > 0 {
		l.Releases = []core.Release{{App: "shop", Version: version, Commit: strings.Repeat("b", 40), State: core.Live,
			Trigger: core.ByPush, Created: time.Now(), Manifest: core.Manifest{Base: "0a"}}}
	}
	text, err := json.Marshal(l)
	noError(t, err)
	putFile(t, core.LabelFiles(state).App("shop"), string(text))
}

func forgetAll(ctx context.Context, l *ledger.Ledger) error {
	return errors.Join(l.RemoveVolume(ctx, lostVolume.ID), l.DeleteApp(ctx, "shop"))
}

// change changes a ledger that no gitd serves.
func change(t *testing.T, state core.StateDir, f func(ctx context.Context, l *ledger.Ledger) error) {
	t.Helper()
	l, err := ledger.Open(t.Context(), state.Ledger())
	noError(t, err)
	noError(t, errors.Join(f(t.Context(), l), l.Close()))
}

// namesBelow is what stands in a state folder. SQLite's shared memory, and a log without a change, are no state.
func namesBelow(t *testing.T, state core.StateDir) string {
	t.Helper()
	var names []string
	noError(t, filepath.WalkDir(string(state), func(path string, _ os.DirEntry, err error) error {
		if !strings.HasSuffix(path, "-shm") && !strings.HasSuffix(path, "-wal") && !strings.HasSuffix(path, ".key") {
			names = append(names, path)
		}
		return err
	}))
	return strings.Join(names, "\n")
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func putFile(t *testing.T, path, text string) {
	t.Helper()
	noError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	noError(t, os.WriteFile(path, []byte(text), 0o600))
}

func dropFiles(t *testing.T, paths ...string) {
	t.Helper()
	for _, p := range paths {
		noError(t, os.Remove(p))
	}
}
