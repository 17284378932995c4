package nodeapp

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/nodeos-dev/gitd/internal/core"
)

// What a health check may ask for.
const (
	maxTimeout    = 15 * time.Minute
	minInterval   = 100 * time.Millisecond
	maxAttempts   = 1000
	maxHealthPath = 1024 // bytes
)

// parseHealth reads "nodeos": {"healthcheck": …} of package.json: an object, or false.
func parseHealth(raw json.RawMessage, warnings *[]string) (core.Health, error) {
	const name = "nodeos.healthcheck"
	h := core.Health{Path: "/"}
	if string(raw) == "false" {
		return core.Health{Off: true}, nil
	}
	o, _, err := parseObject(raw)
	if err != nil {
		return h, badSetting(name, raw, `use an object such as {"path": "/healthz"}, or false: then it is enough that the app listens`)
	}
	*warnings = append(*warnings, o.unknown(name, "path", "timeout", "interval", "attempts")...)
	if raw, ok := o["path"]; ok {
		if h.Path = o.text("path"); !goodPath(h.Path) {
			return h, badSetting(name+".path", raw, `use a path such as "/health"`)
		}
	}
	for _, f := range []struct {
		key   string
		least time.Duration
		to    *time.Duration
		hint  string
	}{
		{"timeout", time.Second, &h.Timeout, `use a time such as "90s", up to 15m`},
		{"interval", minInterval, &h.Interval, `use a time such as "2s", from 100ms up to 15m`},
	} {
		raw, ok := o[f.key]
		if !ok {
			continue
		}
		d, err := time.ParseDuration(o.text(f.key))
		if err != nil || d < f.least || d > maxTimeout {
			return h, badSetting(name+"."+f.key, raw, f.hint)
		}
		*f.to = d
	}
	if raw, ok := o["attempts"]; ok {
		if err := json.Unmarshal(raw, &h.Attempts); err != nil || h.Attempts < 1 || h.Attempts > maxAttempts {
			return h, badSetting(name+".attempts", raw, fmt.Sprintf("use a whole number from 1 to %d", maxAttempts))
		}
	}
	return h, nil
}

// goodPath reports whether p can stand in a request line as it is.
func goodPath(p string) bool {
	return strings.HasPrefix(p, "/") && len(p) <= maxHealthPath && !strings.ContainsFunc(p, notInURL)
}

func notInURL(r rune) bool {
	return r > unicode.MaxASCII || unicode.IsControl(r) || unicode.IsSpace(r) || r == '#'
}
