package main

import (
	"os"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"go.yaml.in/yaml/v3"
)

// recipes are the blocks of YAML in docs/ci.md.
var recipes = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// cmdRecipe writes the commands of a recipe of docs/ci.md to a file, as its CI runs them: recipe github FILE.
func cmdRecipe(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: recipe github|gitlab FILE")
	}
	page, err := os.ReadFile("../../docs/ci.md")
	ts.Check(err)
	blocks := recipes.FindAllSubmatch(page, -1)
	if len(blocks) != 2 {
		ts.Fatalf("docs/ci.md has %d recipes", len(blocks))
	}
	for i, whole := range []string{"fetch-depth: 0", `GIT_DEPTH: "0"`} {
		if !strings.Contains(string(blocks[i][1]), whole) {
			ts.Fatalf("a recipe does not ask for the whole history, and git would not push from its clone")
		}
	}
	var lines []string
	switch args[0] {
	case "github": // bash -e FILE
		var flow struct {
			Jobs map[string]struct{ Steps []struct{ Run string } }
		}
		ts.Check(yaml.Unmarshal(blocks[0][1], &flow))
		for _, s := range flow.Jobs["deploy"].Steps {
			lines = append(lines, s.Run)
		}
	case "gitlab":
		var flow struct{ Deploy struct{ Script []string } }
		ts.Check(yaml.Unmarshal(blocks[1][1], &flow))
		lines = flow.Deploy.Script
	}
	text := strings.Join(lines, "\n")
	if !strings.Contains(text, "git push") {
		ts.Fatalf("the recipe %s does not push:\n%s", args[0], text)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte("set -e\n"+text), 0o644))
}
