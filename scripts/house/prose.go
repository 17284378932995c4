package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"
)

// tab is how many columns a tab takes.
const tab = 4

// link is where a link of Markdown leads, or a bare address: nobody can break it in two, so it takes no columns.
var link = regexp.MustCompile(`\]\([^)]*\)|https?://\S+`)

// columns is how wide a line is for whoever reads it.
func columns(line string) int {
	line = link.ReplaceAllString(line, "")
	return utf8.RuneCountInString(line) + (tab-1)*strings.Count(line, "\t")
}

// addProse measures a file of Markdown. Rows of tables cannot be broken, and blocks of code are as they were printed.
func (h *house) addProse(file, name string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	code, n := false, 0
	for line := range strings.Lines(string(text)) {
		n++
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "```") {
			code = !code
			continue
		}
		if !code && !strings.HasPrefix(trimmed, "|") {
			h.checkColumns(name, n, strings.TrimRight(line, "\n"))
		}
	}
	return nil
}

// checkComments measures each line that has a comment. A directive (//go:build) is not prose: what stands
// before and in it is code, whose long strings are allowed.
func (h *house) checkComments(fset *token.FileSet, tree *ast.File, src []byte, name string) {
	lines := bytes.Split(src, []byte("\n"))
	for _, group := range tree.Comments {
		for _, c := range group.List {
			if directive.MatchString(c.Text) {
				continue
			}
			first, last := fset.Position(c.Pos()).Line, fset.Position(c.End()).Line
			for n := first; n <= last; n++ {
				h.checkColumns(name, n, string(lines[n-1]))
			}
		}
	}
}

// directive is a comment for a program: no blank after the slashes.
var directive = regexp.MustCompile(`^//[a-z]+:`)

func (h *house) checkColumns(name string, n int, line string) {
	if c := columns(line); c > maxColumns {
		h.long = append(h.long, fmt.Sprintf("%s:%d: %d columns of prose, and at most %d are allowed", name, n, c, maxColumns))
	}
}
