package nodeapp

import (
	"bytes"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/nodeos-dev/gitd/internal/core"
)

// processes is what a Procfile says.
type processes struct {
	web      string // the command of web; "": there is none
	others   []string
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
	if len(p.others) > 0 {
		p.warnings = append(p.warnings, "Procfile: only web is started, not "+strings.Join(p.others, ", "))
	}
	return p, nil
}

// add reads line n.
func (p *processes) add(line string, n int) error {
	m := procLine.FindStringSubmatch(line)
	switch {
	case m == nil:
		return core.Reject(fmt.Sprintf("Procfile, line %d cannot be read: %q", n, shorten(line)),
			`a line is a name and a command: "web: node server.js"`)
	case m[1] != "web":
		p.others = append(p.others, m[1])
	case p.web != "":
		return core.Reject(fmt.Sprintf("Procfile, line %d: web is there twice", n), "leave one of them")
	default:
		p.web = m[2]
	}
	return nil
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
