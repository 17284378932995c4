package rebase

import (
	"errors"
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"

	"github.com/nodeos-dev/gitd/internal/builder/registry"
	"github.com/nodeos-dev/gitd/internal/builder/tools"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// TestWhichNode: an update stays within the line of an image, takes what its repository takes, and says what holds it.
func TestWhichNode(t *testing.T) {
	published := []string{"20.19.0", "20.20.0", "22.20.0", "22.21.0", "22.22.0", "24.1.0"}
	engines := func(r string) nodeapp.NodeWish { return nodeapp.NodeWish{Range: r} }
	pin := func(p string) nodeapp.NodeWish { return nodeapp.NodeWish{Pin: p, From: ".nvmrc"} }
	for _, tt := range []struct {
		name  string
		wish  nodeapp.NodeWish
		now   string
		asked string
		want  string // "": refused
		held  string // in the reason why it is not newer, or refused
	}{
		{"the newest of its line", engines(""), "22.20.0", "", "22.22.0", ""},
		{"another line is no update", engines(">=18"), "20.19.0", "", "20.20.0", ""},
		{"of a line that is not the default", engines("24"), "24.1.0", "", "24.1.0", ""},
		{"up to date", engines("22.x"), "22.22.0", "", "22.22.0", ""},
		{"exact", engines("22.20.0"), "22.20.0", "", "22.20.0", `engines.node "22.20.0" keeps it from Node 22.22.0`},
		{"exact, and the newest", engines("22.22.0"), "22.22.0", "", "22.22.0", ""},
		{"held in a minor line", engines("~22.20"), "22.20.0", "", "22.20.0", "keeps it from Node 22.22.0"},
		{"a little", engines("<22.22"), "22.20.0", "", "22.21.0", "keeps it from Node 22.22.0"},
		{"by a version manager", pin("22.20.0"), "22.20.0", "", "22.20.0", `.nvmrc "22.20.0" keeps it`},
		{"never an older one", engines("<=22.21.0"), "22.22.0", "", "22.22.0", ""},
		{"asked: a line", engines(""), "22.20.0", "22", "22.22.0", ""},
		{"asked: an older one", engines(""), "22.22.0", "22.20.0", "22.20.0", ""},
		{"asked: no older one by a range", engines(""), "22.22.0", "22.20", "", "no newer 22.20 is published"},
		{"asked: not taken", engines("22.20.0"), "22.20.0", "22.21.0", "", `engines.node "22.20.0" does not take Node 22.21.0`},
		{"asked: not published", engines(""), "22.22.0", "22.99.0", "", "no newer 22.99.0 is published"},
		{"asked: another line, by a push", engines(">=18"), "22.20.0", "24", "", `set engines.node to "24.x" in package.json, and push`},
		{"asked: another line, by a rebuild", engines(">=18"), "20.19.0", "22", "", "`ps:rebuild shop` does that"},
		{"asked: no version", engines(""), "22.20.0", "latest!", "", "is no version of Node"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var all []registry.Version
			for _, v := range published {
				all = append(all, registry.Version{Name: "node", Number: semver.MustParse(v)})
			}
			q := question{all: all, wish: tt.wish, now: semver.MustParse(tt.now),
				pick: func(w nodeapp.NodeWish, fits func(*semver.Version) bool) (registry.Version, error) {
					return (&tools.Shop{}).Pick(all, w, fits, progress.NewReport(nil))
				}}
			got, err := q.newest()
			if tt.asked != "" {
				got, err = q.asked("shop", tt.asked)
			}
			said, version := "", ""
			switch {
			case err != nil:
				said = err.Error()
				if rej, ok := errors.AsType[*core.Rejection](err); ok {
					said = rej.Reason + ": " + rej.Hint
				}
			default:
				version = got.node.Number.String()
				if got.held != nil {
					said = got.held.Reason
				}
			}
			if version != tt.want || !strings.Contains(said, tt.held) || (said == "") != (tt.held == "") {
				t.Errorf("Node %q, %q; want %q, %q", version, said, tt.want, tt.held)
			}
		})
	}
}
