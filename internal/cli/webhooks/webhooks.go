// Package webhooks is the commands about receivers that are told what happens.
//
// It owns their words and tables, who may use them, and that a key is shown once. It does not own how a webhook is told
// (package notify).
package webhooks

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/notify"
)

type commands struct{ command.Shared }

// Commands are those of this package.
func Commands(s command.Shared) []*cobra.Command {
	c := commands{s}
	return []*cobra.Command{c.list(), c.add(), c.remove(), c.test()}
}

// row is a webhook as JSON.
type row struct {
	ID      string     `json:"id"`
	App     *string    `json:"app"` // null: all apps, and the host
	URL     string     `json:"url"` // without secrets
	Events  []string   `json:"events"`
	Trying  bool       `json:"trying"`
	Sent    int64      `json:"sent"`
	Dead    int64      `json:"dead"`
	Error   string     `json:"error"`
	ErrorAt *time.Time `json:"error_at"` // null: none
	By      string     `json:"by"`
	Added   time.Time  `json:"added"`
}

func (c commands) list() *cobra.Command {
	cmd := &cobra.Command{
		Use: "notify [APP]", Short: "list the webhooks of an app, or all that you may see, and what became of their messages",
		Long: "List the webhooks of an app, or of all apps that you may see: who is told what happens. SENT is how many\n" +
			"messages were taken, DEAD how many were given up, because the receiver refused them or was away for a day.\n" +
			"Administrators see the webhooks of all apps too. Secrets in URLs are not shown.",
		Example: "notify\nnotify shop\nnotify shop --json", Args: command.Args(cobra.MaximumNArgs(1)),
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		may, err := c.SeesReceivers(cmd.Context(), a)
		if err != nil {
			return err
		}
		rows, table := []row{}, [][]string{{"ID", "APP", "URL", "EVENTS", "SENT", "DEAD", "LAST ERROR"}}
		for _, h := range c.Webhooks.List(may) {
			r := row{
				ID: h.ID, URL: h.Shown, Events: h.Events, Trying: h.Trying, Sent: h.Sent, Dead: h.Dead, Error: h.Error, By: h.By, Added: h.Added,
			}
			if h.App != "" {
				r.App = &h.App
			}
			if !h.ErrorAt.IsZero() {
				r.ErrorAt = &h.ErrorAt
			}
			rows = append(rows, r)
			table = append(table, []string{
				r.ID, command.AppOrAll(h.App), r.URL, strings.Join(r.Events, ","), strconv.FormatInt(r.Sent, 10), strconv.FormatInt(r.Dead, 10), failure(h.State),
			})
		}
		return c.List(*asJSON, rows, table)
	}
	return cmd
}

func failure(s notify.State) string {
	text := command.Failure(s.ErrorAt, s.Error)
	if s.Trying && !s.ErrorAt.IsZero() {
		text += "; trying again"
	}
	return text
}

func (c commands) add() *cobra.Command {
	cmd := &cobra.Command{
		Use: "notify:add APP URL|- [--events deployed,failed]", DisableFlagsInUseLine: true,
		Short: "tell a receiver what happens to an app, and print the key of the signatures, once",
		Long: "Tell a receiver what happens to an app: a request with JSON for each event, signed as Standard Webhooks\n" +
			"says. The key of the signatures is printed once. --all in place of APP is every app and the host, for\n" +
			"administrators. With - the URL is read from standard input, where no list of processes and no shell's history\n" +
			"shows the secrets in it. An incoming webhook of Slack or Mattermost is a receiver too. Events:\n\n" +
			"  deployed     a release is live\n" +
			"  failed       a deployment has failed\n" +
			"  crashed      an app or its machine has ended, or does not come back\n" +
			"  certificate  a certificate ends soon\n" +
			"  disk         the server's disk is nearly full (--all)",
		Example: "notify:add shop - < url\nnotify:add shop https://hooks.example.org/gitd --events failed,crashed\nnotify:add --all https://hooks.example.org/gitd",
	}
	all := command.AllFlag(cmd)
	names := cmd.Flags().String("events", "", "which events, with commas; empty: all of them")
	cmd.Args = command.OfAppOrAll(all)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		app, word, err := c.Target(cmd.Context(), *all, a)
		if err != nil {
			return err
		}
		events, err := notify.ParseEvents(*names, app)
		if err != nil {
			return err
		}
		url, err := c.ReadURL(word)
		if err != nil {
			return err
		}
		h, key, err := c.Webhooks.Add(cmd.Context(), c.Actor, app, url, events)
		if err != nil {
			return err
		}
		c.WarnOfURL(word, cmd.Name())
		fmt.Fprintf(c.Err, "The key of its signatures, which is not shown again:\n")
		_, err = fmt.Fprintf(c.Out, "%s tells %s of %s\n%s\n", h.ID, h.Shown, strings.Join(h.Events, ", "), key)
		return err
	}
	return cmd
}

func (c commands) remove() *cobra.Command {
	return c.change("notify:remove APP ID", "no longer tell a receiver what happens to an app",
		"No longer tell a receiver what happens to an app: by the id of the webhook, or its URL as `notify` shows it.",
		func(cmd *cobra.Command, app, name string) error {
			h, err := c.Webhooks.Remove(cmd.Context(), c.Actor, app, name)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.Out, "%s is told nothing any more\n", h.Shown)
			return err
		})
}

func (c commands) test() *cobra.Command {
	return c.change("notify:test APP ID", "tell a receiver a test, and say what it answers",
		"Send a message of the type test to a webhook, once, and say whether its receiver takes it.",
		func(cmd *cobra.Command, app, name string) error {
			h, err := c.Webhooks.Test(cmd.Context(), c.Actor, app, name)
			if err != nil && h.ID != "" {
				return core.Reject("the test was not taken: "+err.Error(), "`notify:remove` and `notify:add` change a URL")
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.Out, "%s has taken the test\n", h.Shown)
			return err
		})
}

// change is a command about one webhook.
func (c commands) change(use, short, long string, do func(cmd *cobra.Command, app, name string) error) *cobra.Command {
	name, _, _ := strings.Cut(use, " ")
	cmd := &cobra.Command{
		Use: use, Short: short, DisableFlagsInUseLine: true,
		Long:    long + "\n--all in place of APP names a webhook of all apps, for administrators.",
		Example: name + " shop w-0a1b2c3d\n" + name + " --all w-0a1b2c3d",
	}
	all := command.AllFlag(cmd)
	cmd.Args = command.OfAppOrAll(all)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		app, word, err := c.Target(cmd.Context(), *all, a)
		if err != nil {
			return err
		}
		return do(cmd, app, word)
	}
	return cmd
}
