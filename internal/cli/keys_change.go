package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gitd/internal/core"
	"gitd/internal/people"
)

func (t *tree) keysAdd() *cobra.Command {
	cmd := &cobra.Command{
		Use:                   "keys:add NAME [--admin | --app APP --role ROLE] [--expires 30d] < key.pub",
		DisableFlagsInUseLine: true, Short: "let a public key (on standard input) log in as NAME", Args: args(cobra.ExactArgs(1)),
		Example: "keys:add ada < id_ed25519.pub\nkeys:add ci --app shop --role deploy --expires 90d < ci.pub",
	}
	admin := cmd.Flags().Bool("admin", false, "make NAME an administrator")
	app := cmd.Flags().String("app", "", "a deploy key: for this app only")
	role := cmd.Flags().String("role", "deploy", "of a deploy key: view, deploy or admin")
	expires := cmd.Flags().String("expires", "", "after 12h or 30d, or on 2027-01-31 (UTC)")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if err := t.mayAddKey(a[0], *admin || *app != ""); err != nil {
			return err
		}
		limit, err := parseLimit(*app, *role, *admin)
		if err != nil {
			return usage(cmd, err)
		}
		until, err := parseExpiry(*expires, time.Now())
		if err != nil {
			return usage(cmd, err)
		}
		k, err := t.readKey(a[0])
		if err != nil {
			return err
		}
		k.Limit, k.Expires = limit, until
		return t.addKey(cmd.Context(), k, *admin)
	}
	return cmd
}

// mayAddKey: an administrator adds any key; everyone else adds plain ones of
// their own.
func (t *tree) mayAddKey(name string, more bool) error {
	if t.Admin || name == t.Name && !more && t.Limit == (core.Limit{}) {
		return nil
	}
	return errAdmin
}

func (t *tree) addKey(ctx context.Context, k people.Key, admin bool) error {
	if err := t.outlived(ctx, &k); err != nil {
		return err
	}
	if err := t.People.AddKey(ctx, k, admin); err != nil {
		return err
	}
	u, err := t.People.User(ctx, k.Name)
	if err != nil {
		return err
	}
	role := keyRole(k, u.Admin)
	until := ""
	if !k.Expires.IsZero() {
		until = " until " + k.Expires.UTC().Format(time.RFC3339)
	}
	if err := t.record(ctx, k.Limit.App, "key.add", "%s (%s) %s%s", k.Name, role, k.Fingerprint, until); err != nil {
		return err
	}
	t.recheck() // the key may have had no limit before
	_, err = fmt.Fprintf(t.Out, "%s (%s) may log in with %s%s\n", k.Name, role, k.Fingerprint, until)
	return err
}

// outlived: a key that someone adds for themselves ends when the one it was
// added with does; an expiry could be shaken off otherwise.
func (t *tree) outlived(ctx context.Context, k *people.Key) error {
	if t.Admin || t.Key == "" {
		return nil
	}
	mine, err := t.People.Key(ctx, t.Key)
	if errors.Is(err, core.ErrNotFound) {
		return errors.New("you came with a certificate; your keys are added by an administrator")
	}
	if err == nil && !mine.Expires.IsZero() && (k.Expires.IsZero() || k.Expires.After(mine.Expires)) {
		k.Expires = mine.Expires
	}
	return err
}

func (t *tree) keysRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use: "keys:remove FINGERPRINT|NAME", Short: "end a key at once, for running sessions too; NAME if it has one key only",
		Example: "keys:remove SHA256:…", Args: args(cobra.ExactArgs(1)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		k, err := t.findKey(cmd.Context(), a[0])
		if err != nil {
			return err
		}
		if err := t.People.RemoveKey(cmd.Context(), k.Fingerprint); err != nil {
			return userError(k.Name, err)
		}
		if err := t.record(cmd.Context(), k.Limit.App, "key.remove", "%s %s", k.Name, k.Fingerprint); err != nil {
			return err
		}
		_, err = fmt.Fprintf(t.Out, "%s may no longer log in with %s\n", k.Name, k.Fingerprint)
		t.recheck()
		return err
	}
	return cmd
}

// findKey finds a key that the caller may know of.
func (t *tree) findKey(ctx context.Context, what string) (people.Key, error) {
	list, err := t.People.Keys(ctx)
	if err != nil {
		return people.Key{}, err
	}
	var found []people.Key
	for _, k := range list {
		if t.mayKnow(k) && (k.Fingerprint == what || k.Name == what) {
			found = append(found, k)
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

// parseExpiry reads "12h", "30d" or a day, at whose end in UTC it is. Empty
// means never: the zero time.
func parseExpiry(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, s); err == nil {
		return future(day.AddDate(0, 0, 1), now)
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return future(now.AddDate(0, 0, int(n)), now)
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return time.Time{}, fmt.Errorf("cannot read the time %q: use 12h, 30d or 2027-01-31", s)
	}
	return future(now.Add(d), now)
}

func future(t, now time.Time) (time.Time, error) {
	if !t.After(now) {
		return t, errors.New("that is in the past already")
	}
	return t, nil
}

// record writes to the audit what the caller did.
func (t *tree) record(ctx context.Context, app, action, format string, args ...any) error {
	return t.Ledger.Record(ctx, core.Entry{
		Time: time.Now(), App: app, Actor: t.Name, Action: action, Detail: fmt.Sprintf(format, args...),
	})
}

// recheck ends the connections of those who may less than before.
func (t *tree) recheck() {
	if t.Recheck != nil {
		t.Recheck()
	}
}
