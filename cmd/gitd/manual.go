//go:build manual

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// With the tag "manual", this program writes its own manual instead: `go run -tags manual ./cmd/gitd DIR TIME`. It is a
// variant of this program because the tree of commands is here, and a tag because no server needs it.
func init() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: go run -tags manual ./cmd/gitd DIR TIME (seconds since 1970, of the pages)")
		os.Exit(2)
	}
	if err := writeManual(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// writeManual writes DIR/man/*.1 and DIR/completion/gitd.{bash,zsh,fish}.
func writeManual(dir, seconds string) error {
	at, err := time.ParseDuration(seconds + "s")
	if err != nil {
		return err
	}
	date := time.Unix(int64(at.Seconds()), 0).UTC()
	h := &host{in: os.Stdin, out: io.Discard, err: os.Stderr}
	// Defaults that follow from who runs this are not the reader's.
	os.Setenv("XDG_STATE_HOME", "/var/lib") //nolint:errcheck // it cannot fail for a good name
	root := h.root()
	root.DisableAutoGenTag = true
	describe(root)
	man := filepath.Join(dir, "man")
	if err := os.MkdirAll(man, 0o755); err != nil {
		return err
	}
	header := &doc.GenManHeader{Title: "GITD", Section: "1", Source: "gitd " + buildVersion(), Manual: "gitd", Date: &date}
	if err := doc.GenManTree(root, header, man); err != nil {
		return err
	}
	return writeCompletions(root, filepath.Join(dir, "completion"))
}

// describe gives each page the text that its reader expects first.
func describe(root *cobra.Command) {
	root.Long = "gitd serve is the daemon: an SSH server that takes pushes of Node.js apps, and an HTTP front door to the virtual\n" +
		"machines in which they run. Every other command asks the daemon, through its socket in the state folder. People\n" +
		"give the same commands over SSH: ssh -p 2222 nodeos@HOST COMMAND."
	for _, cmd := range root.Commands() {
		if cmd.Long == "" {
			cmd.Long = cmd.Short + "."
		}
	}
}

func writeCompletions(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, write := range map[string]func(io.Writer) error{
		"gitd.bash": func(w io.Writer) error { return root.GenBashCompletionV2(w, true) },
		"gitd.zsh":  root.GenZshCompletion,
		"gitd.fish": func(w io.Writer) error { return root.GenFishCompletion(w, true) },
	} {
		var text bytes.Buffer
		if err := write(&text); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
