package nodeapp

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// "Could not find Chrome" was said by the app, at its first page, a day after the push.
func TestBrowserIsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		file string
		warn bool
	}{
		"puppeteer":              {`{"dependencies": {"puppeteer": "24"}}`, "server.js", true},
		"playwright":             {`{"dependencies": {"playwright": "1"}}`, "server.js", true},
		"for tests":              {`{"devDependencies": {"puppeteer": "24"}}`, "server.js", false},
		"without a browser":      {`{"dependencies": {"puppeteer-core": "24"}}`, "server.js", false},
		"with Debian's":          {`{"dependencies": {"puppeteer": "24"}, "nodeos": {"packages": ["chromium"]}}`, "server.js", false},
		"with a place":           {`{"dependencies": {"puppeteer": "24"}}`, ".puppeteerrc.cjs", false},
		"with a place, in JSON":  {`{"dependencies": {"puppeteer": "24"}, "puppeteer": {}}`, "server.js", false},
		"with another of Debian": {`{"dependencies": {"puppeteer": "24"}, "nodeos": {"packages": ["firefox-esr"]}}`, "server.js", true},
	} {
		p, err := MakePlan(fstest.MapFS{
			"package.json": {Data: []byte(c.text)}, "server.js": {}, c.file: {},
		}, "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := slices.ContainsFunc(p.Warnings, func(w string) bool {
			return strings.Contains(w, "is not in a machine") && strings.Contains(w, `"nodeos": {"packages": ["chromium"]}`)
		})
		if got != c.warn {
			t.Errorf("%s: %q", name, p.Warnings)
		}
	}
}

func TestPackages(t *testing.T) {
	m, err := ParsePackageJSON([]byte(`{"nodeos": {"packages": ["libcairo2", "chromium", "libcairo2", "libstdc++6"]}}`))
	check(t, err)
	if want := []string{"chromium", "libcairo2", "libstdc++6"}; !slices.Equal(m.Settings.Packages, want) {
		t.Errorf("%q", m.Settings.Packages)
	}
	for _, bad := range []string{`"libcairo2"`, `["-o"]`, `["a=1"]`, `[1]`, `{}`, `["Zlib"]`, `["zlib1g "]`, `["~nzlib"]`} {
		if _, err := ParsePackageJSON([]byte(`{"nodeos": {"packages": ` + bad + `}}`)); err == nil || !strings.Contains(err.Error(), "nodeos.packages") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
