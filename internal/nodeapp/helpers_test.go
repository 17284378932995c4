package nodeapp

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/nodeos-dev/gitd/internal/core"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rejected expects a *core.Rejection with this reason.
func rejected(t *testing.T, err error, reason string) {
	t.Helper()
	var r *core.Rejection
	if !errors.As(err, &r) || !strings.Contains(r.Reason, reason) || strings.Contains(r.Reason, "\n") {
		t.Errorf("got %v (%T), want a rejection with %q", err, err, reason)
	}
}

// repository has these files. A content that starts with "-> " is a symlink.
func repository(files map[string]string) fs.FS {
	repo := fstest.MapFS{}
	for name, content := range files {
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			repo[name] = &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink}
		} else {
			repo[name] = &fstest.MapFile{Data: []byte(content)}
		}
	}
	return repo
}
