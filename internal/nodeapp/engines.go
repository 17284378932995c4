package nodeapp

import (
	"cmp"
	"io/fs"
	"strings"

	"github.com/nodeos-dev/gitd/internal/nodeapp/nodeversion"
)

// NodeWish is which Node a repository asks for.
type NodeWish = nodeversion.Wish

// readNode looks in the app's folder, and then at the root of its monorepo.
func readNode(p *Plan, repo fs.FS) (err error) {
	if p.Node, err = readNodeWish(appFolder(repo, p.Dir), p.Package); err != nil || p.Dir == "" {
		return err
	}
	root, err := readNodeWish(repo, p.Root)
	p.Node.Range = cmp.Or(p.Node.Range, root.Range)
	if p.Node.Pin == "" {
		p.Node.Pin, p.Node.From = root.Pin, root.From
	}
	return err
}

// readNodeWish looks where Node versions are written down. Among the pins the first one counts: volta's and npm's are
// in package.json itself, nvm's file is older and more common than the other.
func readNodeWish(repo fs.FS, m PackageJSON) (NodeWish, error) {
	w := NodeWish{Range: strings.TrimSpace(m.Engines["node"])}
	for _, pin := range []struct{ from, version string }{
		{"volta.node", m.all.texts("volta")["node"]},
		{"devEngines.runtime", m.devEngine("runtime", "node")},
	} {
		if pinNode(&w, pin.from, pin.version) {
			return w, nil
		}
	}
	for _, name := range []string{".nvmrc", ".node-version"} {
		b, err := readOptional(repo, name, versionFileLimit)
		if err != nil {
			return NodeWish{}, err
		}
		if pinNode(&w, name, versionLine(string(b))) {
			break
		}
	}
	return w, nil
}

func pinNode(w *NodeWish, from, version string) bool {
	if version = strings.TrimSpace(version); nodeversion.Any(version) {
		return false
	}
	w.From, w.Pin = from, version
	return true
}

// versionLine is the first line of a version manager's file that is neither empty nor a comment.
func versionLine(text string) string {
	for line := range strings.Lines(strings.TrimPrefix(text, byteOrderMark)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return ""
}
