package command

import (
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/nodeapp/shell"
)

// split takes out of a start what only builds: those parts run before the start, in the sandbox of the build, which has
// a shell. The start is what remains.
func split(t *tree) (builds []*tree, start *tree, err error) { return splitOff(t, false) }

// splitOff is split for a part of a tree. said says that what only says something goes with what builds.
func splitOff(t *tree, said bool) (builds []*tree, start *tree, err error) {
	all := allBuild(t)
	switch {
	case t.constant():
		return nil, t, nil
	case t.leaf != nil && (all || t.leaf.either && said), all && t.op == shell.Or:
		return []*tree{t}, known(succeeds), nil
	case t.leaf != nil:
		return nil, t, nil
	case t.op == shell.Or && hasBuild(t):
		return nil, nil, refused(first(t, true).text, "builds something, but only on a condition",
			"put it into scripts.build, which runs before each start of a release")
	}
	before, x, err := splitOff(t.x, all)
	if err != nil {
		return nil, nil, err
	}
	after, y, err := splitOff(t.y, all)
	if err != nil {
		return nil, nil, err
	}
	if l := first(x, false); len(after) > 0 && l != nil && isNode(l) {
		return nil, nil, refused(first(after[0], true).text, "may build from what `"+shorten(l.text)+"` has made before it",
			"put both into scripts.build if they prepare the app")
	}
	if t.op == shell.Then {
		for _, b := range before {
			b.ignore = true // ";" goes on in any case
		}
	}
	joined := *pair(t.op, x, y)
	joined.last = joined.last || t.last
	return append(before, after...), &joined, nil
}

// allBuild reports whether a tree builds something, and does nothing else.
func allBuild(t *tree) bool {
	return hasBuild(t) && !slices.ContainsFunc(t.leaves(), func(l *leaf) bool { return !l.build && !l.either })
}

func hasBuild(t *tree) bool { return first(t, true) != nil }

// first is the first leaf of a tree that only builds, or that does something else.
func first(t *tree, builds bool) *leaf {
	for _, l := range t.leaves() {
		if l.build == builds && !l.either {
			return l
		}
	}
	return nil
}

// isNode reports whether a command is a file that Node runs, which may do anything.
func isNode(l *leaf) bool {
	name, _ := l.words[0].Literal()
	return name == "node" || strings.Contains(name, "/")
}

// buildSteps are the texts of what a build has to run, without what scripts.build of the app's package, in the folder
// dir, is or has run already.
func buildSteps(builds []*tree, dir, buildScript string) []string {
	var all []string
	for _, b := range builds {
		text := b.script()
		done := text == strings.TrimSpace(buildScript) || (b.leaf != nil && b.leaf.dir == dir && len(b.leaf.exports) == 0 &&
			(b.leaf.text == "npm run build" || b.leaf.text == strings.TrimSpace(buildScript)))
		if (buildScript == "" || !done) && !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return all
}
