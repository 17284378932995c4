package coretest

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/engine"
)

// TestRemovedWhileWaiting: the push of a user who was removed while it waited was built 17 s later, and went live. It
// is asked again at its turn, and before the swap.
func TestRemovedWhileWaiting(t *testing.T) {
	for name, moment := range map[string]func(w *world, g *gate, removed *atomic.Bool) (reject string){
		"before its turn": func(w *world, g *gate, removed *atomic.Bool) string {
			first := w.beginMain(commit(1), commit(2))
			receives(w.t, "the build begins", g.reached)
			change := make(chan error, 1)
			go func() {
				change <- w.core.Redeploy(context.Background(), core.Actor{Name: "ada", Key: "SHA256:ada"}, "shop", core.ByRestart, &syncBuffer{})
			}()
			w.eventually("the change waits", func() bool { return len(w.core.QueueOf("shop")) == 2 })
			removed.Store(true)
			close(g.open)
			first.end()
			return (<-change).Error()
		},
		"during its build": func(w *world, g *gate, removed *atomic.Bool) string {
			p := w.beginMain(commit(1), commit(2))
			receives(w.t, "the build begins", g.reached)
			removed.Store(true)
			close(g.open)
			reject, _ := p.end()
			return reject
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.push(none, commit(1))
			w.close()
			var removed atomic.Bool
			w.openWith(func(c *engine.Config) {
				c.Authorize = func(context.Context, core.Actor, string) error {
					if removed.Load() {
						return core.Reject("ada may not do this on shop any more", "")
					}
					return nil
				}
			})
			if reject := moment(w, w.holdBuild(commit(2)), &removed); !strings.Contains(reject, "may not do this on shop any more") {
				t.Errorf("it is told %q", reject)
			}
			if v, answer := w.live(); v != 1 || answer != "v1" {
				t.Errorf("v%d answers %q", v, answer)
			}
		})
	}
}
