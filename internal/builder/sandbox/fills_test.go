package sandbox

import (
	"testing"

	"github.com/nodeos-dev/gitd/internal/disk"
)

func TestLow(t *testing.T) {
	const gib = 1 << 30
	for _, tt := range []struct {
		name       string
		began, now disk.Space
		want       bool
	}{
		{"room", disk.Space{Size: 100 * gib, Free: 50 * gib, Files: 1e6}, disk.Space{Free: 10 * gib, Files: 1e5}, false},
		{"little is left", disk.Space{Size: 100 * gib, Free: 50 * gib, Files: 1e6}, disk.Space{Free: gib / 8, Files: 1e5}, true},
		{"there was little before", disk.Space{Size: 100 * gib, Free: gib / 3, Files: 1e6}, disk.Space{Free: gib / 8, Files: 1e5}, false},
		{"a small disk", disk.Space{Size: gib, Free: gib / 2, Files: 1e6}, disk.Space{Free: gib / 8, Files: 1e5}, false},
		{"few files are left", disk.Space{Size: gib, Free: gib, Files: 1e6}, disk.Space{Free: gib, Files: 9000}, true},
	} {
		if got := low(tt.began, tt.now); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}
