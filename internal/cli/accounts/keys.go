package accounts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/people"
	"github.com/nodeos-dev/gitd/internal/terminal"
)

// maxKey bounds a public key on standard input, in bytes: the longest RSA
// key that anyone uses (16,384 bits) has below 4 KiB.
const maxKey = 16 << 10

func (c commands) keys() *cobra.Command {
	cmd := &cobra.Command{Use: "keys", Short: "list your keys, or everyone's for an administrator", Example: "keys\nkeys --json", Args: command.Args(cobra.NoArgs)}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		keys, err := c.People.VisibleKeys(cmd.Context(), c.Actor)
		if err != nil {
			return err
		}
		list, rows := []keyRow{}, [][]string{{"NAME", "ROLE", "FINGERPRINT", "ADDED", "EXPIRES", "LAST USED", "FROM"}}
		for _, k := range keys {
			list = append(list, keyRow{k.Name, k.Role(), k.Limit.App, k.Fingerprint, k.Added, k.Expires, k.LastUsed, k.LastFrom, k.From})
			rows = append(rows, []string{k.Name, k.Role(), k.Fingerprint, terminal.Ago(k.Added), terminal.Ago(k.Expires), terminal.Ago(k.LastUsed), terminal.OrDash(k.LastFrom)})
		}
		return c.List(*asJSON, list, rows)
	}
	return cmd
}

type keyRow struct {
	Name        string    `json:"name"`
	Role        string    `json:"role"` // "admin", "user", or "deploy on shop" for a deploy key
	App         string    `json:"app,omitempty"`
	Fingerprint string    `json:"fingerprint"`
	Added       time.Time `json:"added"`
	Expires     time.Time `json:"expires,omitzero"`
	LastUsed    time.Time `json:"last_used,omitzero"`
	LastFrom    string    `json:"last_from,omitempty"`
	From        string    `json:"allowed_from,omitempty"` // absent: from everywhere
}

// keyOptions are the flags of `keys:add`.
type keyOptions struct {
	admin              bool
	app, role, expires string
}

func (c commands) keysAdd() *cobra.Command {
	cmd := &cobra.Command{
		Use:                   "keys:add NAME [--admin | --app APP --role ROLE] [--expires 30d] < key.pub",
		DisableFlagsInUseLine: true, Short: "let a public key (on standard input) log in as NAME", Args: command.Args(cobra.ExactArgs(1)),
		Example: "keys:add ada < id_ed25519.pub\nkeys:add ci --app shop --role deploy --expires 90d < ci.pub",
	}
	var o keyOptions
	cmd.Flags().BoolVar(&o.admin, "admin", false, "make NAME an administrator")
	cmd.Flags().StringVar(&o.app, "app", "", "a deploy key: for this app only")
	cmd.Flags().StringVar(&o.role, "role", "deploy", "of a deploy key: view, clone, deploy or admin")
	cmd.Flags().StringVar(&o.expires, "expires", "", "after 12h or 30d, or on 2027-01-31 (UTC)")
	cmd.RunE = func(cmd *cobra.Command, a []string) error { return c.addKey(cmd, a[0], o) }
	return cmd
}

func (c commands) addKey(cmd *cobra.Command, name string, o keyOptions) error {
	// Before anything else: a caller who may not do it is told that, and no more.
	if err := people.MayAddKey(c.Actor, name, !o.admin && o.app == ""); err != nil {
		return err
	}
	limit, err := parseLimit(o.app, o.role, o.admin)
	if err != nil {
		return command.Misuse(cmd, err)
	}
	until, err := people.ParseExpiry(o.expires, time.Now())
	if err != nil {
		return command.Misuse(cmd, err)
	}
	k, err := c.readKey(name)
	if err != nil {
		return err
	}
	k.Limit = limit
	if !until.IsZero() && (k.Expires.IsZero() || until.Before(k.Expires)) { // the earlier of the flag's and the line's
		k.Expires = until
	}
	added, err := c.People.AddKey(cmd.Context(), c.Actor, k, o.admin)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.Out, "%s (%s) may log in with %s%s\n", added.Name, added.Role(), added.Fingerprint, added.Until())
	return err
}

// readKey reads the public key on standard input.
func (c commands) readKey(name string) (people.Key, error) {
	text, err := io.ReadAll(io.LimitReader(c.In, maxKey))
	if err != nil {
		return people.Key{}, err
	}
	return people.ParseKey(name, string(text))
}

func parseLimit(app, role string, admin bool) (core.Limit, error) {
	if app == "" {
		return core.Limit{}, nil
	}
	if admin {
		return core.Limit{}, errors.New("--admin and --app exclude each other: a deploy key is for one app")
	}
	if err := core.CheckName(app); err != nil {
		return core.Limit{}, err
	}
	r, err := core.ParseRole(role)
	return core.Limit{App: app, Role: r}, err
}

func (c commands) keysRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use: "keys:remove FINGERPRINT|NAME", Short: "end a key at once, for running sessions too; NAME if it has one key only",
		Example: "keys:remove SHA256:…", Args: command.Args(cobra.ExactArgs(1)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		k, err := c.findKey(cmd.Context(), a[0])
		if err != nil {
			return err
		}
		if err := c.People.RemoveKey(cmd.Context(), c.Actor, k.Fingerprint); err != nil {
			return userError(k.Name, err)
		}
		_, err = fmt.Fprintf(c.Out, "%s may no longer log in with %s\n", k.Name, k.Fingerprint)
		return err
	}
	return cmd
}

// findKey finds a key that the caller may know of.
func (c commands) findKey(ctx context.Context, what string) (people.Key, error) {
	list, err := c.People.VisibleKeys(ctx, c.Actor)
	if err != nil {
		return people.Key{}, err
	}
	var found []people.Key
	for _, k := range list {
		if k.Fingerprint == what || k.Name == what {
			found = append(found, k.Key)
		}
	}
	switch len(found) {
	case 0:
		return people.Key{}, fmt.Errorf("there is no key %q; `keys` lists them", what)
	case 1:
		return found[0], nil
	default:
		var b strings.Builder
		for _, k := range found {
			b.WriteString("\n  " + k.Fingerprint)
		}
		return people.Key{}, fmt.Errorf("%s has %d keys; name the one to remove:%s", what, len(found), b.String())
	}
}
