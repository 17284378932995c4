package nodeapp

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/nodeos-dev/gitd/internal/core"
)

// processes is what a Procfile says: the command of each process type.
type processes struct {
	commands map[string]string
	warnings []string
}

var procLine = regexp.MustCompile(`^([A-Za-z0-9_-]+)\s*:\s*(.+)$`)

// readProcfile reads the Procfile, if there is one. A line that cannot be read is refused, since it may be the one that
// the author means to run.
func readProcfile(repo fs.FS) (p processes, err error) {
	b, err := readOptional(repo, procfile, procfileLimit)
	if err != nil {
		return p, err
	}
	if b == nil {
		return processes{warnings: otherProcfiles(repo)}, nil
	}
	text, err := decodeText(b)
	if err != nil {
		return p, core.Reject("Procfile "+err.Error(), "save it as UTF-8, commit, and push again")
	}
	p.commands = map[string]string{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := p.add(line, n); err != nil {
			return p, err
		}
	}
	return p, nil
}

// add reads line n.
func (p processes) add(line string, n int) error {
	m := procLine.FindStringSubmatch(line)
	if m == nil {
		return core.Reject(fmt.Sprintf("Procfile, line %d cannot be read: %q", n, shorten(line)),
			`a line is a name and a command: "web: node server.js"`)
	}
	name := m[1]
	if err := core.CheckProcessType(name); err != nil {
		return core.Reject(fmt.Sprintf("Procfile, line %d: %v", n, err), `call it something like "worker" or "mail-queue"`)
	}
	if _, twice := p.commands[name]; twice {
		return core.Reject(fmt.Sprintf("Procfile, line %d: %s is there twice", n, name), "leave one of them")
	}
	if p.commands[name] = m[2]; len(p.commands) > core.MaxProcessTypes {
		return core.Reject(fmt.Sprintf("the Procfile has more than %d process types", core.MaxProcessTypes),
			"leave out those that need no machine of their own")
	}
	return nil
}

// workers reports whether there is a type that runs beside web, or in its place.
func (p processes) workers() bool {
	return slices.ContainsFunc(slices.Collect(maps.Keys(p.commands)), core.IsWorker)
}

// otherProcfiles says of files that look like a Procfile that they are none.
func otherProcfiles(repo fs.FS) []string {
	entries, err := fs.ReadDir(repo, ".")
	if err != nil {
		return nil
	}
	var all []string
	for _, e := range entries {
		if name := strings.ToLower(e.Name()); name == "procfile" || name == "procfile.txt" {
			all = append(all, fmt.Sprintf("%s is not read: it would have to be called Procfile", e.Name()))
		}
	}
	return all
}

// decodeText reads UTF-8, or what PowerShell's > writes: UTF-16 with a byte order mark.
func decodeText(b []byte) (string, error) {
	for mark, at := range map[string]int{"\xff\xfe": 0, "\xfe\xff": 1} {
		rest, ok := bytes.CutPrefix(b, []byte(mark))
		if !ok {
			continue
		}
		if len(rest)%2 != 0 {
			return "", fmt.Errorf("is not whole UTF-16")
		}
		units := make([]uint16, len(rest)/2)
		for i := range units {
			units[i] = uint16(rest[2*i+at]) | uint16(rest[2*i+1-at])<<8
		}
		return string(utf16.Decode(units)), nil
	}
	b = bytes.TrimPrefix(b, []byte(byteOrderMark))
	if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		return "", fmt.Errorf("is not text in UTF-8")
	}
	return string(b), nil
}
