package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/drain"
	"github.com/nodeos-dev/gitd/internal/notify"
	"github.com/nodeos-dev/gitd/internal/outbound"
	"github.com/nodeos-dev/gitd/internal/people"
)

// Drains sends what apps say to receivers. An empty app is all apps.
type Drains interface {
	// Add refuses what is no URL of a drain with a *core.Rejection.
	Add(ctx context.Context, by core.Actor, app, url string, builds bool) (drain.Row, error)
	// Remove finds a drain by its id, or by its URL as it is shown.
	Remove(ctx context.Context, by core.Actor, app, name string) (drain.Row, error)
	// List is the drains for whose app of is true.
	List(of func(app string) bool) ([]drain.Row, error)
}

// Webhooks tells receivers what happens. An empty app is all apps, and the host.
type Webhooks interface {
	// Add returns the key of the signatures too, which nobody is told again.
	Add(ctx context.Context, by core.Actor, app, url string, events []string) (notify.Row, string, error)
	// Remove finds a webhook by its id, or by its URL as it is shown.
	Remove(ctx context.Context, by core.Actor, app, name string) (notify.Row, error)
	// Test tells a webhook a test, once, and returns what its receiver has against it.
	Test(ctx context.Context, by core.Actor, app, name string) (notify.Row, error)
	// List is the webhooks for whose app of is true.
	List(of func(app string) bool) []notify.Row
}

// AllFlag is the flag that stands in place of an app.
func AllFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("all", false, "of all apps, in place of APP (administrators)")
}

// OfAppOrAll takes an app and a word, or a word alone with --all.
func OfAppOrAll(all *bool) cobra.PositionalArgs {
	return Args(func(cmd *cobra.Command, a []string) error {
		if *all {
			return cobra.ExactArgs(1)(cmd, a)
		}
		return cobra.ExactArgs(2)(cmd, a)
	})
}

// Target is the app that a command is about, empty for all apps, and the word behind it, if the caller may change that.
func (c Shared) Target(ctx context.Context, all bool, a []string) (app, word string, err error) {
	if all {
		if !c.Admin {
			return "", "", people.ErrNotAdmin
		}
		return "", a[0], nil
	}
	_, err = c.App(ctx, a[0], core.RoleAdmin)
	return a[0], a[1], err
}

// SeesReceivers says of which apps the caller sees the receivers: of the one that is named, or of those that they may
// see; administrators see those of all apps too.
func (c Shared) SeesReceivers(ctx context.Context, a []string) (func(app string) bool, error) {
	if len(a) == 0 {
		return func(app string) bool { return app == "" && c.Admin || app != "" && c.May(app, core.RoleView) }, nil
	}
	if _, err := c.App(ctx, a[0], core.RoleView); err != nil {
		return nil, err
	}
	return func(app string) bool { return app == a[0] || app == "" && c.Admin }, nil
}

// ReadURL is the word, or what stands on standard input for -.
func (c Shared) ReadURL(word string) (string, error) {
	if word != "-" {
		return word, nil
	}
	text, err := io.ReadAll(io.LimitReader(c.In, 2*outbound.MaxURL))
	if err != nil {
		return "", err
	}
	if word = strings.TrimSpace(string(text)); word == "" {
		return "", errors.New("standard input holds no URL; add `< FILE`")
	}
	return word, nil
}

// WarnOfURL says that the secrets of a URL on the command line of a command stay where it was typed.
func (c Shared) WarnOfURL(word, command string) {
	if word != "-" && outbound.Secret(word) {
		fmt.Fprintf(c.Err, " !     the URL's secrets stand in your shell's history now; `%s APP - < FILE` keeps them out of it\n", command)
	}
}

// Failure is when a receiver refused something the last time, and why, in a table.
func Failure(at time.Time, why string) string {
	if at.IsZero() {
		return "-"
	}
	return at.UTC().Format(time.DateTime) + " " + why
}

// AppOrAll is the app of a receiver, in a table.
func AppOrAll(app string) string {
	if app == "" {
		return "(all)"
	}
	return app
}
