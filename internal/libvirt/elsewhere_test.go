package libvirt

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// TestElsewhere: an app that does not listen on its port, or for itself only, is served where it listens, on each kind
// of socket; and on its port once it listens there. The host is told where that was.
func TestElsewhere(t *testing.T) {
	onKernels(t, func(t *testing.T, img image) {
		d := openDriver(t)
		defer func() { closeDriver(t, d) }()
		// The group ends when all of it have, and the driver is closed then.
		t.Run("at", func(t *testing.T) {
			for _, at := range []string{"127.0.0.1:8080", "0.0.0.0:3000", "127.0.0.1:3000", "[::1]:3000", "[::]:7777"} {
				t.Run(at, func(t *testing.T) {
					t.Parallel()
					elsewhere(t, d, img, at)
				})
			}
		})
	})
}

func elsewhere(t *testing.T, d *Driver, img image, at string) {
	name := strings.NewReplacer("[", "", "]", "", ":", "-", ".", "-").Replace(filepath.Base(t.Name()))
	spec := img.spec("else-" + name + "-x")
	spec.Env["AT"] = at
	p := boot(t, d, spec)
	if e := p.kind(core.EventListening, 1); e.Detail != at {
		t.Errorf("the host is told of %q", e.Detail)
	}
	p.line("init", "the app listens on "+at)
	if got := p.get("/where", ""); got != at+"\n" {
		t.Errorf("served at %q", got)
	}
	if p.has(core.EventMisplaced) {
		t.Error("it is misplaced too")
	}
	if strings.HasSuffix(at, ":8080") {
		return
	}
	if got := p.get("/open", "addr="+url.QueryEscape("0.0.0.0:8080")); got != "<nil>\n" {
		t.Fatalf("it cannot open its port: %s", got)
	}
	p.line("init", "the app listens on port 8080 now")
	if got := p.get("/where", ""); got != "0.0.0.0:8080\n" {
		t.Errorf("served at %q", got)
	}
}
