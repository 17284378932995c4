package image

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

func TestRetained(t *testing.T) {
	// Each release is written as the first letter of its state (l live, d draining, r retired, f failed, b booting,
	// u building and not built yet), the name of its image, ! if it is pinned, and .N if it is on base N. The newest
	// comes first.
	tests := []struct {
		name     string
		n        int
		releases []string
		want     []int // indexes
	}{
		{"nothing", 5, nil, nil},
		{"no image yet", 5, []string{"u-"}, nil},
		{"fewer than there may be", 3, []string{"lc", "rb", "ra"}, []int{0, 1, 2}},
		{"the last of many", 3, []string{"le", "rd", "rc", "rb", "ra"}, []int{0, 1, 2}},
		{"the one before always", 1, []string{"lc", "rb", "ra"}, []int{0, 1}},
		{"what drains", 1, []string{"ld", "dc", "db", "ra"}, []int{0, 1, 2}},
		{"what is on its way", 2, []string{"be", "ld", "rc", "rb"}, []int{0, 1, 2}},
		{"a failed one is not kept and does not count", 2, []string{"fd", "lc", "fx", "rb", "ra"}, []int{1, 3}},
		{"pinned", 2, []string{"ld", "rc", "rb", "ra!"}, []int{0, 1, 3}},
		{"a pinned one does not count", 2, []string{"ld", "rc!", "rb", "ra"}, []int{0, 1, 2}},
		{"one image counts once", 2, []string{"lb", "rb", "rb", "ra", "rx"}, []int{0, 1, 2, 3}},
		{"after a rollback", 2, []string{"la", "rc", "rb", "ra"}, []int{0, 1, 3}},
		{"stopped: nothing is live", 2, []string{"rc", "rb", "ra"}, []int{0, 1}},
		{"updates of the base use up no rollback", 2, []string{"lb.3", "rb.2", "rb.1", "rb", "ra.1", "ra"}, []int{0, 1, 4}},
		{"a rollback of the base has where to go", 1, []string{"lb.2", "rb.1", "rb"}, []int{0, 1}},
	}
	states := map[byte]core.State{'l': core.Live, 'd': core.Draining, 'r': core.Retired, 'f': core.Failed, 'b': core.Booting, 'u': core.Building}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var list []core.Release
			for i, s := range tt.releases {
				r := core.Release{Version: len(tt.releases) - i, State: states[s[0]], Pinned: strings.HasSuffix(s, "!")}
				if s[1] != '-' {
					_, base, _ := strings.Cut(s, ".")
					r.Manifest = core.Manifest{Base: "b" + base, App: core.Layer{Digest: s[1:2]}}
				}
				list = append(list, r)
			}
			var got []int
			for _, r := range retained(list, tt.n) {
				got = append(got, len(list)-r.Version)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("kept %v, want %v", fmt.Sprint(got), tt.want)
			}
		})
	}
}
