package nodeapp

import (
	"strings"
	"testing"
	"testing/fstest"
)

// TestFollowWords: words that were typed are followed as a start command is, and no shell's character in them means
// anything.
func TestFollowWords(t *testing.T) {
	repo := fstest.MapFS{
		"server.js": {Data: []byte("")},
		"package.json": {Data: []byte(`{"scripts": {"start": "node server.js", "seed": "MODE=test node seed.js", "preseed": "node first.js"},
			"dependencies": {"knex": "1.0.0"}}`)},
		"package-lock.json": {Data: []byte(`{"lockfileVersion": 3, "packages": {"": {}, "node_modules/knex": {"version": "1.0.0",
			"resolved": "https://registry.npmjs.org/knex/-/knex-1.0.0.tgz", "integrity": "sha512-AA==", "bin": {"knex": "cli.js"}}}}`)},
	}
	for line, want := range map[string]string{
		"npm run seed -- 5":       "node first.js; node seed.js 5",
		"npx knex migrate:latest": "knex migrate:latest",
		"knex $HOME;rm it's `x`":  "knex $HOME;rm it's `x`",
		"npm start":               "node server.js",
		"bash -c ls":              `the command runs "ls", which is no program that NodeOS can run`,
		"top":                     `the command runs "top", which is no program that NodeOS can run`,
		"npm run nothing":         "nothing",
	} {
		steps, err := FollowWords(repo, "", strings.Fields(line))
		var all []string
		for _, s := range steps {
			all = append(all, s.String())
		}
		got := strings.Join(all, "; ")
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
