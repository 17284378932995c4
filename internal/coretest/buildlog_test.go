package coretest

import (
	"context"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// TestBuildOutputIsKept: what the pusher saw of a release can be read again, up to its last line, whether the release
// became live or failed.
func TestBuildOutputIsKept(t *testing.T) {
	w := newWorld(t)
	w.build = func(ctx context.Context, src image.Source, r *progress.Report) (core.Manifest, error) {
		r.Step("Building %s", src.Commit[39:])
		if src.Commit == commit(2) {
			return core.Manifest{}, core.Reject("npm ci exited 1", "see above")
		}
		return w.goodBuild(ctx, src, r)
	}
	if reject, out := w.push(none, commit(1)); reject != "" {
		t.Fatalf("%s:\n%s", reject, out)
	}
	if reject, _ := w.push(commit(1), commit(2)); reject == "" {
		t.Fatal("the second build did not fail")
	}
	for release, want := range map[int][]string{
		1: {"-----> Building 1\n", "-----> Switching traffic\n", "total ", "=====> v1 is live at "},
		2: {"-----> Building 2\n", " !     npm ci exited 1\n", " !     see above\n"},
	} {
		text, err := w.builds.Text("shop", release)
		if err != nil {
			t.Errorf("v%d: %v", release, err)
		}
		rest := text
		for _, part := range want {
			_, after, ok := strings.Cut(rest, part)
			if !ok {
				t.Errorf("v%d: no %q, in this place, in\n%s", release, part, text)
				break
			}
			rest = after
		}
	}
}
