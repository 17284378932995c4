package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"mvdan.cc/sh/v3/syntax"

	"github.com/nodeos-dev/gitd/internal/cli"
	"github.com/nodeos-dev/gitd/internal/cli/command"
)

// A documented line is one that README.md or a page of docs tells its reader to type: a line of a block without a
// language, or of sh, or of console behind its prompt. Blocks of other languages hold what is read, not typed.
type documented struct {
	page string
	line int
	text string // without its comment; a line that goes on after a backslash is one
}

func (d documented) String() string { return fmt.Sprintf("%s:%d: %s", d.page, d.line, d.text) }

// generated is the page whose lines `make test-clients` writes and runs.
const generated = "docs/clients.md"

// documentedLines are the lines of all pages.
func documentedLines(t *testing.T) (lines []documented) {
	t.Helper()
	for _, page := range pages(t) {
		if page != generated {
			lines = append(lines, typedLines(page, readPage(t, page))...)
		}
	}
	if len(lines) < 100 {
		t.Fatalf("only %d lines are found in the documentation", len(lines))
	}
	return lines
}

func pages(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"README.md"}
	for _, f := range found {
		names = append(names, "docs/"+filepath.Base(f))
	}
	return names
}

func readPage(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", page))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	fence   = regexp.MustCompile("^ *```(.*)$")
	comment = regexp.MustCompile(` +# .*$`)
	prompt  = regexp.MustCompile(`^[$#] `)
)

func typedLines(page, text string) (lines []documented) {
	inside, language, begun := false, "", ""
	for i, line := range strings.Split(text, "\n") {
		if m := fence.FindStringSubmatch(line); m != nil {
			inside, language = !inside, m[1]
			continue
		}
		if !inside || !slices.Contains([]string{"", "sh", "console"}, language) || strings.TrimSpace(line) == "" {
			continue
		}
		if language == "console" {
			if !prompt.MatchString(line) {
				continue
			}
			line = line[2:]
		}
		if whole, more := strings.CutSuffix(begun+comment.ReplaceAllString(line, ""), `\`); more {
			begun = whole
		} else {
			lines = append(lines, documented{page, i + 1, whole})
			begun = ""
		}
	}
	return lines
}

// TestDocumentedCommandsExist: what the documentation has people type is a command that gitd has, with flags that it
// has, and as many arguments as it wants.
func TestDocumentedCommandsExist(t *testing.T) {
	t.Parallel()
	asked := 0
	for _, line := range documentedLines(t) {
		calls, err := simpleCommands(line.text)
		if err != nil {
			t.Errorf("%s: the shell does not read it: %v", line, err)
		}
		for _, words := range calls {
			tree, words := commandTree(words)
			if tree == nil {
				continue
			}
			asked++
			if err := wellTyped(tree, words, true); err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}
	}
	if asked < 80 {
		t.Errorf("only %d lines call gitd: are they found?", asked)
	}
}

// span is a piece of text between single backticks.
var span = regexp.MustCompile("`([^`]+)`")

// saying is what gitd says of itself.
var saying = regexp.MustCompile(`^gitd (is|does|has) `)

// TestMentionedCommandsExist: so are the commands in the text between the blocks, except that they may be cut short.
func TestMentionedCommandsExist(t *testing.T) {
	t.Parallel()
	asked := 0
	for _, page := range append(pages(t), "SECURITY.md", "CONTRIBUTING.md") {
		for _, m := range span.FindAllStringSubmatch(prose(readPage(t, page)), -1) {
			if saying.MatchString(m[1]) {
				continue
			}
			calls, err := simpleCommands(m[1])
			if err != nil || len(calls) == 0 {
				continue // code of another kind
			}
			tree, words := commandTree(calls[0])
			if tree == nil || len(words) == 0 || strings.ToUpper(words[0]) == words[0] {
				continue
			}
			asked++
			if err := wellTyped(tree, words, false); err != nil {
				t.Errorf("%s: `%s`: %v", page, m[1], err)
			}
		}
	}
	if asked < 40 {
		t.Errorf("only %d commands are found in the text", asked)
	}
}

// prose is a page without its blocks, in which a line's end is a space.
func prose(page string) string {
	return strings.ReplaceAll(block.ReplaceAllString(page, ""), "\n", " ")
}

var block = regexp.MustCompile("(?ms)^ *```.*?^ *```$")

// TestEveryCommandIsDocumented: nobody finds a command of the host, or its flag, that no page names. TestReference asks
// the same of the commands that people have over SSH too.
func TestEveryCommandIsDocumented(t *testing.T) {
	t.Parallel()
	var paragraphs []string
	for _, page := range pages(t) {
		paragraphs = append(paragraphs, strings.Split(readPage(t, page), "\n\n")...)
	}
	root := (&host{}).root()
	serve, _, err := root.Find([]string{"serve"})
	if err != nil {
		t.Fatal(err)
	}
	for _, cmd := range root.Commands() {
		if cmd.Hidden || cmd.Name() == "serve" { // TestReadmeListsEveryFlag
			continue
		}
		of := named(paragraphs, "(gitd |HOST |`)"+regexp.QuoteMeta(cmd.Name()))
		if len(of) == 0 {
			t.Errorf("no page names gitd %s", cmd.Name())
		}
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name == "json" || serve.Flags().Lookup(f.Name) != nil {
				return // said once, of all
			}
			short := ""
			if f.Shorthand != "" {
				short = "|-" + f.Shorthand
			}
			if !f.Hidden && f.Deprecated == "" && len(named(of, "(--"+f.Name+short+")")) == 0 {
				t.Errorf("no page names --%s of gitd %s (%s)", f.Name, cmd.Name(), f.Usage)
			}
		})
	}
}

// named are the paragraphs that have a word.
func named(paragraphs []string, word string) (with []string) {
	find := regexp.MustCompile(word + `\b`)
	for _, p := range paragraphs {
		if find.MatchString(p) {
			with = append(with, p)
		}
	}
	return with
}

// simpleCommands are the words of each command in a line of the shell, without redirections and assignments.
func simpleCommands(line string) (calls [][]string, err error) {
	file, err := syntax.NewParser().Parse(strings.NewReader(line), "")
	if err != nil {
		return nil, err
	}
	syntax.Walk(file, func(node syntax.Node) bool {
		if call, ok := node.(*syntax.CallExpr); ok && len(call.Args) > 0 {
			var words []string
			for _, w := range call.Args {
				words = append(words, unquoted(w))
			}
			calls = append(calls, words)
		}
		return true
	})
	return calls, nil
}

// unquoted is a word as the command gets it; what the shell would put in place of a variable stays as it is written.
func unquoted(w *syntax.Word) string {
	var out strings.Builder
	var add func(parts []syntax.WordPart)
	add = func(parts []syntax.WordPart) {
		for _, p := range parts {
			switch p := p.(type) {
			case *syntax.Lit:
				out.WriteString(p.Value)
			case *syntax.SglQuoted:
				out.WriteString(p.Value)
			case *syntax.DblQuoted:
				add(p.Parts)
			default:
				var text bytes.Buffer
				_ = syntax.NewPrinter().Print(&text, p) // a buffer takes everything
				out.WriteString(text.String())
			}
		}
	}
	add(w.Parts)
	return out.String()
}

// commandTree is the tree that a command is looked for in, and its words: what the host has, or what people have over
// SSH. It is nil if the command is not gitd's.
func commandTree(words []string) (*cobra.Command, []string) {
	switch {
	case words[0] == "gitd", words[0] == "bin/gitd":
		return (&host{}).root(), words[1:]
	case words[0] == "ssh":
		at := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "nodeos@") })
		if at < 0 || at == len(words)-1 {
			return nil, nil // a claim, an invitation, or the overview
		}
		root := &cobra.Command{Use: "gitd"}
		cli.AddCommands(root, command.Services{}, command.Caller{})
		return root, words[at+1:]
	default:
		return nil, nil
	}
}

// wellTyped says what is wrong with a command; whole wants all its arguments too.
func wellTyped(tree *cobra.Command, words []string, whole bool) error {
	tree.InitDefaultHelpCmd()
	cmd, rest, err := tree.Find(words)
	if err != nil {
		return err
	}
	if cmd == tree {
		return fmt.Errorf("there is no command in %q", words)
	}
	if cmd.DisableFlagParsing {
		return nil
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if !whole {
		return nil
	}
	var wrong error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Deprecated != "" {
			wrong = fmt.Errorf("--%s is of the past", f.Name)
		}
	})
	if wrong != nil {
		return wrong
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}
