package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/nodeapp/mainfile"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// mostMain bounds a main file, in bytes.
const mostMain = 16 << 20

// Lead has the main files of an image's processes load the bundle first. dir is the app's folder as it will be packed.
// It returns the files that do, and why others do not, in words for the pusher.
func Lead(dir string, m core.Manifest) (led, not []string, err error) {
	app, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, err
	}
	defer app.Close()
	steps := slices.Clone(m.Run)
	for _, t := range m.Types {
		steps = append(steps, t.Run...)
	}
	for _, s := range steps {
		name, why := mainOf(app.FS(), s)
		if why == "" && slices.Contains(led, name) {
			continue
		}
		if why == "" {
			why, err = lead(app, name)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("have %s load the bundle: %w", name, err)
		}
		if why != "" {
			not = append(not, fmt.Sprintf("`%s` does not use the bundle: %s", progress.Shorten(s.String()), why))
			continue
		}
		led = append(led, name)
	}
	return led, not, nil
}

// mainOf is the file that a step starts Node with.
func mainOf(app fs.FS, s core.StartStep) (name, why string) {
	words := slices.Clone(s.Words)
	if len(words) == 0 || !says(words[0], guest.Node) {
		return "", "it does not start node"
	}
	for words = words[1:]; len(words) > 0; words = words[1:] {
		text, ok := words[0].Literal()
		switch {
		case !ok:
			return "", "its file is not known before it runs"
		case !strings.HasPrefix(text, "-"):
			return inApp(app, s.Dir, text)
		case !alone(text):
			return "", fmt.Sprintf("it has the option %s before its file", progress.Shorten(text))
		}
	}
	return "", "it has no file to run"
}

func says(w core.Word, text string) bool {
	got, ok := w.Literal()
	return ok && got == text
}

// alone reports whether an option of node is known to take nothing from the word after it.
func alone(option string) bool {
	return strings.HasPrefix(option, "--") && strings.Contains(option, "=") || slices.Contains([]string{
		"--enable-source-maps", "--no-deprecation", "--no-warnings", "--trace-warnings", "--expose-gc", "--trace-uncaught",
		"--use-system-ca", "--use-openssl-ca", "--experimental-strip-types", "--experimental-sqlite",
	}, option)
}

// inApp finds a file as Node does.
func inApp(app fs.FS, dir, text string) (name, why string) {
	if path.IsAbs(text) {
		dir, text = "", strings.TrimPrefix(path.Clean(text), guest.AppDir+"/")
	}
	name, ok := mainfile.Find(app, path.Join(dir, text))
	info, err := fs.Stat(app, name)
	switch {
	case !ok || err != nil || !info.Mode().IsRegular() || info.Size() > mostMain:
		return "", "its file is not one of the app's"
	case strings.Contains("/"+name, "/node_modules/"):
		return "", "it is a program of a package"
	}
	return name, ""
}

// lead puts the line into one main file.
func lead(app *os.Root, name string) (why string, err error) {
	text, err := readFile(app.FS(), name, mostMain)
	if err != nil {
		return "", err
	}
	changed, why := withLine(text, kindOf(app.FS(), name))
	if why != "" {
		return why, nil
	}
	f, err := app.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return "", err
	}
	_, err = f.Write(changed)
	return "", errors.Join(err, f.Close())
}

// kind is as what Node reads a file.
type kind int

const (
	unknown  kind = iota // Node tries both
	commonJS             // has require
	module               // has import
	neither
)

// kindOf goes by the name of a file and by the package.json that is nearest to it.
func kindOf(app fs.FS, name string) kind {
	switch path.Ext(name) {
	case ".cjs", ".cts":
		return commonJS
	case ".mjs", ".mts":
		return module
	case ".js", ".ts", "":
	default:
		return neither
	}
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		if text, err := readFile(app, path.Join(dir, "package.json"), mostMain); err == nil {
			var doc struct{ Type any }
			json.Unmarshal(text, &doc) //nolint:errcheck // Node refuses it at the start; that is said there
			switch doc.Type {
			case "module":
				return module
			case "commonjs":
				return commonJS
			}
			return unknown
		}
		if dir == "." {
			return unknown
		}
	}
}

// esm finds what makes Node take a file for an ES module if nothing else says what it is. It is also found in texts
// and comments: then the file is left as it is.
var esm = regexp.MustCompile(`(?m)^\s*(import|export)\b|\bimport\.meta\b`)

// withLine puts the line into the text of a main file, in front of its first statement and in the same line, so that
// all numbers of lines stay. Directives ("use strict") stay first, where they count.
func withLine(text []byte, k kind) (changed []byte, why string) {
	line := fmt.Sprintf("require(%q); ", Runner)
	switch {
	case bytes.Contains(text, []byte(Runner)):
		return text, ""
	case k == neither:
		return nil, "its file is no JavaScript"
	case k == module:
		line = fmt.Sprintf("import %q; ", Runner)
	case k == unknown && esm.Match(text):
		return nil, `it may be an ES module or not; "type": "module" or "type": "commonjs" in package.json says it`
	}
	at, ok := firstStatement(text)
	if !ok {
		return nil, "the beginning of its file cannot be read"
	}
	return slices.Concat(text[:at], []byte(line), text[at:]), ""
}
