package coretest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Explain is deploy.Contents: the files of this world's images have no content.
func (w *world) Explain(_ context.Context, was, is core.Manifest) (lines []string, files int, err error) {
	if was.App.Digest == is.App.Digest {
		return nil, 0, errors.New("nothing is to be explained")
	}
	return []string{"~ /app/server.js: a time"}, 3, nil
}

func (w *world) verify(version int) (out string, err error) {
	w.t.Helper()
	var b bytes.Buffer
	err = w.core.Verify(w.t.Context(), ada, "shop", version, &b)
	return b.String(), err
}

// verified are the results in the audit, the newest first.
func (w *world) verified() (results []string) {
	w.t.Helper()
	entries, err := w.ledger.Entries(w.t.Context(), "shop", 0)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Action == "release.verify" {
			results = append(results, e.Actor+" "+e.Detail)
		}
	}
	return results
}

// TestVerify: a release is built again as it was, compared, and noted, while another build has the app's turn. What is
// live stays.
func TestVerify(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	build := w.build
	var src image.Source
	w.build = func(ctx context.Context, s image.Source, r *progress.Report) (core.Manifest, error) {
		src = s
		return build(ctx, s, r)
	}
	out, err := w.verify(1)
	if err != nil || !strings.Contains(out, "v1 is what its commit builds, byte for byte") {
		t.Errorf("%v\n%s", err, out)
	}
	if src.Commit != commit(1) || src.Again == nil || src.Again.App.Digest != commit(1) {
		t.Errorf("built %+v", src)
	}
	if _, err := w.verify(7); err == nil || !strings.Contains(err.Error(), "shop has no release v7") {
		t.Errorf("v7: %v", err)
	}
	if v, answer := w.live(); v != 1 || answer != "v1" {
		t.Errorf("v%d answers %q", v, answer)
	}
	list, err := w.ledger.Releases(t.Context(), "shop", 0)
	if err != nil || len(list) != 1 {
		t.Errorf("%d releases, %v", len(list), err)
	}
	if got := w.verified(); len(got) != 1 || got[0] != "ada v1: equal" {
		t.Errorf("audit: %q", got)
	}
}

// TestVerifyDiffers: the files are named, the exit says it, and the layers of the second build are collected.
func TestVerifyDiffers(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	build := w.build
	w.build = func(ctx context.Context, s image.Source, r *progress.Report) (core.Manifest, error) {
		s.Commit = commit(9)
		m, err := build(ctx, s, r)
		m.Made = core.Made{Tool: "npm 11.0.0"}
		return m, err
	}
	out, err := w.verify(1)
	var rejection *core.Rejection
	if !errors.As(err, &rejection) || rejection.Reason != "v1 is not what its commit builds now: 3 of its files differ" {
		t.Errorf("got %v", err)
	}
	for _, want := range []string{"~ /app/server.js: a time", "and 2 more", "built by an older gitd"} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %q:\n%s", want, out)
		}
	}
	for {
		<-w.swept
		if _, err := os.Stat(w.state.Layer(commit(9))); errors.Is(err, os.ErrNotExist) {
			break
		}
	}
	if err := os.Remove(w.state.Layer(commit(1))); err != nil {
		t.Fatal(err)
	}
	if _, err := w.verify(1); !errors.As(err, &rejection) || !strings.Contains(rejection.Hint, "no longer kept") {
		t.Errorf("got %v", err)
	}
	if got := w.verified(); len(got) != 2 || got[1] != "ada v1: is not what its commit builds now: 3 of its files differ" {
		t.Errorf("audit: %q", got)
	}
}

// TestVerifyEnds: it ends with the caller, and gives its place among the builds back.
func TestVerifyEnds(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	build := w.build
	ctx, hangUp := context.WithCancel(t.Context())
	w.build = func(ctx context.Context, _ image.Source, _ *progress.Report) (core.Manifest, error) {
		hangUp()
		<-ctx.Done()
		return core.Manifest{}, ctx.Err()
	}
	if err := w.core.Verify(ctx, ada, "shop", 1, &bytes.Buffer{}); err == nil {
		t.Error("it goes on")
	}
	w.build = build
	if reject, out := w.push(commit(1), commit(2)); reject != "" {
		t.Errorf("%s\n%s", reject, out)
	}
	if builds := w.core.Overview().Builds; len(builds) != 0 {
		t.Errorf("builds: %+v", builds)
	}
}
