// Package dotenv reads and writes .env files, in the grammar of npm's dotenv.
//
// It owns that grammar. It does not own what a variable may be called or hold.
package dotenv

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// assignment is one entry of a .env file in the grammar of npm's dotenv,
// which is what wrote and reads the files that people import: an optional
// export, a name, and a value that is quoted (and then may have several
// lines) or goes to the end of the line or to a comment.
//
// The parsers for Go were measured and left: godotenv expands "$" (a password
// pa$Word becomes "paord") and quotes the file in its errors, envparse knows no
// value of several lines.
var assignment = regexp.MustCompile("^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*" +
	"('(?:[^']|'\\\\'')*'|\"(?:\\\\.|[^\"\\\\])*\"|`[^`]*`|[^#'\"`\r\n][^#\r\n]*)?[ \t]*(?:#[^\r\n]*)?(?:\r?\n|$)")

// shellQuote is a single quote within single quotes, as a shell writes it.
// dotenv cannot write one there; config:export does.
const shellQuote = `'\''`

// blankLine is a line without an entry.
var blankLine = regexp.MustCompile("^[ \t]*(?:#[^\r\n]*)?(?:\r?\n|$)")

// Parse reads a .env file. A later entry of a name wins. Errors name
// the line and never what stands in it.
func Parse(text string) (map[string]string, error) {
	vars := map[string]string{}
	rest := strings.TrimPrefix(text, "\ufeff")
	for line := 1; rest != ""; {
		m := assignment.FindStringSubmatch(rest)
		if m != nil {
			vars[m[1]] = unquote(m[2])
		} else if m = blankLine.FindStringSubmatch(rest); m == nil {
			return nil, fmt.Errorf("line %d is not NAME=value; a value of several lines stands in quotes", line)
		}
		line += strings.Count(m[0], "\n")
		rest = rest[len(m[0]):]
	}
	return vars, nil
}

// unquote takes a value's quotes away. As in dotenv, \n and \r mean something
// in double quotes only, and there nothing else is an escape, with the one
// exception that dotenv lacks: \" and \\ can be written.
func unquote(v string) string {
	v = strings.TrimSpace(v)
	if len(v) < 2 || v[0] != v[len(v)-1] || !strings.ContainsRune("'\"`", rune(v[0])) {
		return v
	}
	quote, v := v[0], v[1:len(v)-1]
	v = strings.ReplaceAll(v, "\r\n", "\n")
	switch quote {
	case '\'':
		v = strings.ReplaceAll(v, shellQuote, "'")
	case '"':
		v = strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\"`, `"`, `\\`, `\`).Replace(v)
	}
	return v
}

// Format is what Parse reads: one entry for each variable, sorted. Values stand in single quotes, in which a shell
// changes nothing.
func Format(vars map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		fmt.Fprintf(&b, "%s='%s'\n", name, strings.ReplaceAll(vars[name], "'", shellQuote))
	}
	return b.String()
}
