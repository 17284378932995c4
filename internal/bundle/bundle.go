// Package bundle puts the files of an app's packages together, so that Node reads a few files at its start in place of
// hundreds: "nodeos": {"bundle": true} in package.json.
//
// It owns what is in the bundle, the two programs (make.js in the build, run.js in a machine), and the line that the
// app's main file gets. It does not own how a build runs a program.
package bundle

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/nodeos-dev/gitd/internal/guest"
)

//go:embed make.js
var makeSource string

//go:embed run.js
var runSource string

// Nothing says why an app that asks for a bundle has none.
const Nothing = `none of its "dependencies" is a package that loads and whose files can be put together, ` +
	`or its build carries what it needs; "bundle" in package.json does nothing for it`

// dir is below the app's folder.
const dir = "node_modules/.nodeos"

// Runner is what the main file of an app loads first.
const Runner = guest.AppDir + "/" + dir + "/run.js"

// Make makes the bundle of the app in folder, "" or a path below app. run runs a program with app as its folder and at
// the place where it is in a machine. It returns what is in the bundle, for people; "": there is none.
func Make(app, folder string, run func(args []string) error) (summary string, err error) {
	text, err := json.Marshal(uncommented(runSource))
	if err != nil {
		return "", err
	}
	program := fmt.Sprintf("const RUN = %s;\n%s", text, uncommented(makeSource))
	if err := run([]string{"node", "-e", program, "./" + path.Clean(folder)}); err != nil {
		return "", err
	}
	root, err := os.OpenRoot(app)
	if err != nil {
		return "", err
	}
	defer root.Close()
	return summaryOf(root.FS()), nil
}

// uncommented leaves out the lines that are for readers of the code.
func uncommented(source string) string {
	var b strings.Builder
	for line := range strings.Lines(source) {
		if !strings.HasPrefix(strings.TrimSpace(line), "//") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// summaryOf reads the first line of what make.js has made.
func summaryOf(app fs.FS) string {
	const most = 200
	head, err := readFile(app, dir+"/run.js", most)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(head), "\n")
	return strings.TrimPrefix(line, "// ")
}

// readFile reads so many bytes of a file at most. A build may have left anything at its place: a pipe would be waited
// for.
func readFile(app fs.FS, name string, most int64) ([]byte, error) {
	info, err := fs.Stat(app, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fs.ErrInvalid
	}
	f, err := app.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}
