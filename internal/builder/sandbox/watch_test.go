package sandbox

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// TestExcess: processes that together have too much memory end, and so does a command that its caller does not want any
// more; each with its reason.
func TestExcess(t *testing.T) {
	s, app, shm := probed(t)
	full := &Excess{What: "filled the disk"}
	for name, tt := range map[string]struct {
		script string
		memory int64
		check  func() error
		want   string
	}{
		"memory": {
			script: `for i in 1 2 3 4; do perl -e '$x = "x" x 60_000_000; sleep 1000' & done; wait`,
			memory: 200 << 20, want: "used more than 200 MiB of memory",
		},
		"detached": {
			script: `setsid perl -e '$x = "x" x 90_000_000; sleep 1000' & setsid perl -e '$x = "x" x 90_000_000; sleep 1000' & sleep 1000`,
			memory: 100 << 20, want: "used more than 100 MiB of memory",
		},
		"check": {script: "sleep 1000", check: func() error { return full }, want: "filled the disk"},
		"less":  {script: `perl -e '$x = "x" x 30_000_000'`, memory: 1 << 30},
	} {
		var out bytes.Buffer
		err := s.Run(t.Context(), Spec{
			Args: []string{"/bin/sh", "-c", tt.script}, Env: []string{"PATH=/usr/bin:/bin"}, Dir: "/app",
			Mounts: []Mount{{Host: app, Inside: "/app", Writable: true}}, Shm: shm, Output: &out,
			Memory: tt.memory, Check: tt.check,
		})
		excess, ok := errors.AsType[*Excess](err)
		switch {
		case tt.want == "" && err != nil, tt.want != "" && !ok, ok && !strings.Contains(excess.What, tt.want):
			t.Errorf("%s: %v, want %q; it said %s", name, err, tt.want, out.String())
		}
	}
}

// TestYields: what runs inside is behind machines and gitd, for the processor and when memory runs out.
func TestYields(t *testing.T) {
	_, run := shell(t)
	out, err := run(t.Context(), nil, "nice; cat /proc/self/oom_score_adj")
	fields := strings.Fields(out)
	if err != nil || len(fields) < 2 || fields[1] != "1000" {
		t.Errorf("%q, %v", out, err)
	}
}
