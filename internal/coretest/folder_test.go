package coretest

import (
	"context"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// TestFolder: the folder that somebody sets is the build's from the next push on, is in the audit, and keeps an app
// that has nothing else.
func TestFolder(t *testing.T) {
	w := newWorld(t)
	ctx, ada := t.Context(), core.Actor{Name: "ada"}
	var dirs []string
	w.build = func(ctx context.Context, src image.Source, r *progress.Report) (core.Manifest, error) {
		dirs = append(dirs, src.Dir)
		m, err := w.goodBuild(ctx, src, r)
		m.Dir = src.Dir
		return m, err
	}
	w.must(w.core.SetFolder(ctx, ada, "shop", "./packages/api/"))
	if gone, err := w.core.DiscardApp(ctx, ada, "shop"); gone || err != nil {
		t.Fatalf("the app is gone: %t, %v", gone, err)
	}
	if reject, out := w.push(none, commit(1)); reject != "" {
		t.Fatalf("%s:\n%s", reject, out)
	}
	w.must(w.core.SetFolder(ctx, ada, "shop", ""))
	if reject, out := w.push(commit(1), commit(2)); reject != "" {
		t.Fatalf("%s:\n%s", reject, out)
	}
	if len(dirs) != 2 || dirs[0] != "packages/api" || dirs[1] != "" {
		t.Errorf("built %q", dirs)
	}
	if err := w.core.SetFolder(ctx, ada, "shop", "../x"); err == nil {
		t.Error("a folder outside is taken")
	}
	list, err := w.ledger.Entries(ctx, "shop", 0)
	w.must(err)
	said := ""
	for _, e := range list {
		if e.Action == "folder.change" {
			said += e.Actor + " " + e.Detail + "; "
		}
	}
	if said != "ada default; ada packages/api; " {
		t.Errorf("the audit says %q", said)
	}
}
