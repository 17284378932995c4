package nodeapp

import (
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

func TestAppHealth(t *testing.T) {
	tests := []struct {
		name string
		text string
		want core.Health // zero: none
		says []string    // parts of warnings, in order
	}{
		{"no health checks", `{"name": "shop", "env": {}}`, core.Health{}, nil},
		{"none of web", `{"healthchecks": {"worker": [{"path": "/x"}]}}`, core.Health{}, nil},
		{"defaults", `{"healthchecks": {"web": [{"path": "/up"}]}}`,
			core.Health{Path: "/up", Attempts: 3, Interval: 5 * time.Second, Probe: 5 * time.Second}, nil},
		{"all of it", `{"healthchecks": {"web": [{"type": "startup", "name": "w", "description": "d", "path": "/up?a=1",
			"attempts": 7, "wait": 2, "timeout": 9, "initialDelay": 4}]}}`,
			core.Health{Path: "/up?a=1", Attempts: 7, Interval: 2 * time.Second, Probe: 9 * time.Second, Delay: 4 * time.Second}, nil},
		{"no pause", `{"healthchecks": {"web": [{"path": "/", "attempts": 0, "wait": 0, "timeout": 0}]}}`,
			core.Health{Path: "/", Attempts: 1, Interval: 100 * time.Millisecond, Probe: time.Second}, nil},
		{"what gitd does otherwise", `{"healthchecks": {"web": [{"type": "liveness", "path": "/l"}, {"type": "startup", "command": ["true"]},
			{"type": "startup", "uptime": 3}, {"type": "\u001b[2J", "path": "/"}, {"path": "/a", "content": "ok"}, {"path": "/b"}]}}`,
			core.Health{Path: "/a", Attempts: 3, Interval: 5 * time.Second, Probe: 5 * time.Second},
			[]string{"web[0] is ignored: gitd itself", "web[1] is ignored: a command", "web[2] is ignored: that the app listens",
				"web[3] is ignored: its type", "web[4].content is ignored", "web[5] is ignored: gitd has one"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var warnings []string
			h, ok, err := appHealth([]byte(tt.text), &warnings)
			if err != nil || h != tt.want || ok != (tt.want != core.Health{}) {
				t.Errorf("%+v, %v, %v", h, ok, err)
			}
			if len(warnings) != len(tt.says) {
				t.Fatalf("warnings: %q", warnings)
			}
			for i, part := range tt.says {
				if !strings.Contains(warnings[i], part) {
					t.Errorf("warning %q, want %q in it", warnings[i], part)
				}
			}
		})
	}
}

func TestAppHealthRefuses(t *testing.T) {
	check := func(c string) string { return `{"healthchecks": {"web": [` + c + `]}}` }
	for text, part := range map[string]string{
		``:                                       "app.json is broken",
		`{`:                                      "app.json is broken: it ends too early",
		`[]`:                                     "app.json is broken: it is not a JSON object",
		`{"healthchecks": []}`:                   "healthchecks is",
		`{"healthchecks": {"web": {}}}`:          "healthchecks.web is",
		check(`7`):                               "healthchecks.web[0] is",
		check(`{"path": "up"}`):                  "web[0].path is",
		check(`{"path": "/a\r\nHost: x"}`):       "web[0].path is",
		check(`{"path": 1}`):                     "web[0].path is",
		check(`{"path": "/", "attempts": -1}`):   "attempts is -1",
		check(`{"path": "/", "wait": "5"}`):      "wait is",
		check(`{"path": "/", "timeout": 1e300}`): "timeout is",
		check(`{"path": "/", "initialDelay": 86400}`):  "initialDelay is",
		check(strings.Repeat(`{},`, maxChecks) + `{}`): "healthchecks.web is",
	} {
		_, ok, err := appHealth([]byte(text), new([]string))
		if err == nil || ok || !strings.Contains(err.Error(), part) {
			t.Errorf("%.80s: %v, want %q", text, err, part)
		}
	}
}

// FuzzAppHealth: whatever stands in app.json, what comes out is within the
// limits and can be put into a request.
func FuzzAppHealth(f *testing.F) {
	f.Add([]byte(`{"healthchecks": {"web": [{"type": "startup", "path": "/up", "attempts": 7, "wait": 2, "timeout": 9, "initialDelay": 4}]}}`))
	f.Add([]byte(`{"healthchecks": {"web": [{"command": ["x"]}, {"path": "/\n"}]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, ok, err := appHealth(b, new([]string))
		if err != nil || !ok {
			return
		}
		if !goodPath(h.Path) || h.Attempts < 1 || h.Attempts > maxAttempts || h.Interval < 100*time.Millisecond ||
			h.Probe < time.Second || max(h.Interval, h.Probe, h.Delay) > maxTimeout {
			t.Errorf("%+v", h)
		}
	})
}
