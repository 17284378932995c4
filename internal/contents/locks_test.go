package contents

import (
	"maps"
	"testing"
)

func TestLocks(t *testing.T) {
	for name, tt := range map[string]struct {
		lock, text string
		want       map[string]string
	}{
		"npm 6": {"package-lock.json", `{"dependencies":{"a":{"version":"1.0.0","integrity":"sha512-A",
			"dependencies":{"@b/c":{"version":"2.0.0","integrity":"sha512-B"}}}}}`,
			map[string]string{"a@1.0.0": "sha512-A", "@b/c@2.0.0": "sha512-B"}},
		"yarn 1": {"yarn.lock", "# yarn lockfile v1\n\n\n\"@b/c@^2.0.0\", \"@b/c@^2.1.0\":\n  version \"2.1.0\"\n" +
			"  resolved \"https://x\"\n  integrity sha512-B\n\nalias@npm:real@^1:\n  version \"1.0.0\"\n  integrity sha512-A\n" +
			"none@1:\n  version \"1.0.0\"\n",
			map[string]string{"@b/c@2.1.0": "sha512-B", "real@1.0.0": "sha512-A"}},
		"Yarn 4": {"yarn.lock", "__metadata:\n  version: 8\n\n\"a@npm:^1\":\n  version: 1.0.0\n  checksum: 10c0/abc\n", nil},
		"pnpm 9": {"pnpm-lock.yaml", "packages:\n\n  a@1.0.0:\n    resolution: {integrity: sha512-A}\n\n  '@b/c@2.0.0':\n" +
			"    resolution: {integrity: sha512-B, tarball: https://x}\n",
			map[string]string{"a@1.0.0": "sha512-A", "@b/c@2.0.0": "sha512-B"}},
		"pnpm 6": {"pnpm-lock.yaml", "packages:\n\n  /a/1.0.0:\n    resolution: {integrity: sha512-A}\n    dev: false\n\n" +
			"  /@b/c/2.0.0_peer@1.0.0:\n    resolution: {integrity: sha512-B}\n",
			map[string]string{"a@1.0.0": "sha512-A", "@b/c@2.0.0": "sha512-B"}},
		"pnpm 8": {"pnpm-lock.yaml", "packages:\n\n  /@b/c@2.0.0(peer@1.0.0):\n    resolution: {integrity: sha512-B}\n",
			map[string]string{"@b/c@2.0.0": "sha512-B"}},
		"no JSON": {"package-lock.json", "{", nil},
	} {
		var l locks
		l.read(tt.lock, []byte(tt.text))
		if !maps.Equal(l.integrity, tt.want) {
			t.Errorf("%s: %v, want %v", name, l.integrity, tt.want)
		}
	}
}

// FuzzLocks: no lockfile ends the reader.
func FuzzLocks(f *testing.F) {
	f.Add("package-lock.json", `{"packages":{"node_modules/a":{"version":"1","integrity":"sha512-A"}}}`)
	f.Add("yarn.lock", "a@1:\n  version \"1\"\n  integrity sha512-A\n")
	f.Add("pnpm-lock.yaml", "  /a@1:\n    resolution: {integrity: sha512-A}\n")
	f.Fuzz(func(t *testing.T, name, text string) {
		var l locks
		l.read(name, []byte(text))
		for id, sum := range l.integrity {
			if id == "@" || sum == "" {
				t.Errorf("%q has %q", id, sum)
			}
		}
	})
}
