package builder

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// A package for the platform that needs a browser's libraries: the line in the refusal has all of them, also when its
// files are those of an earlier push, and are not read again.
func TestMissingLibrariesAreRemembered(t *testing.T) {
	b := realBuilder(t)
	pkg := map[string]string{"amd64": "@webviewjs/webview-linux-x64-gnu", "arm64": "@webviewjs/webview-linux-arm64-gnu"}[runtime.GOARCH]
	repo := newRepository(t)
	commit := repo.commit(map[string]string{
		"server.js": "", "package.json": `{"dependencies": {"` + pkg + `": "0.4.7"}, "nodeos": {"memory": "256M"}}`,
	})
	for i, cached := range []bool{false, true} {
		_, said, _, err := repo.build(b, "webview", commit)
		rejected(t, err, "libwebkit2gtk-4.1.so.0, libgtk-3.so.0")
		if r, ok := errors.AsType[*core.Rejection](err); !ok ||
			!strings.Contains(r.Hint, `"libglib2.0-0", "libgtk-3-0", "libjavascriptcoregtk-4.1-0"`) || !strings.Contains(r.Hint, `"libxdo3"`) {
			t.Errorf("build %d: %+v", i, r)
		}
		if strings.Contains(said, "using cached dependencies") != cached {
			t.Errorf("build %d:\n%s", i, said)
		}
	}
}
