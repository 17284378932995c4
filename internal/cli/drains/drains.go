// Package drains is the commands about receivers of what apps say.
//
// It owns their words and tables, who may use them, and that no secret of a URL is shown. It does not own how lines are
// sent (package drain).
package drains

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/drain"
)

type commands struct{ command.Shared }

// Commands are those of this package.
func Commands(s command.Shared) []*cobra.Command {
	c := commands{s}
	return []*cobra.Command{c.list(), c.add(), c.remove()}
}

// row is a drain as JSON.
type row struct {
	ID      string     `json:"id"`
	App     *string    `json:"app"` // null: all apps
	URL     string     `json:"url"` // without secrets
	Builds  bool       `json:"builds"`
	Up      bool       `json:"up"`
	Behind  int64      `json:"behind"`
	Sent    int64      `json:"sent"`
	Dropped int64      `json:"dropped"`
	Error   string     `json:"error"`
	ErrorAt *time.Time `json:"error_at"` // null: none
	By      string     `json:"by"`
	Added   time.Time  `json:"added"`
}

func (c commands) list() *cobra.Command {
	cmd := &cobra.Command{
		Use: "drains [APP]", Short: "list the drains of an app, or all that you may see, and how each is",
		Long: "List the drains of an app, or of all apps that you may see: where their lines are sent, how many lines\n" +
			"wait (BEHIND), were sent, and were dropped, because the receiver refused them or was away for longer than\n" +
			"the app's log is kept. Administrators see the drains of all apps too. Secrets in URLs are not shown.",
		Example: "drains\ndrains shop\ndrains shop --json", Args: command.Args(cobra.MaximumNArgs(1)),
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		may, err := c.SeesReceivers(cmd.Context(), a)
		if err != nil {
			return err
		}
		list, err := c.Drains.List(may)
		if err != nil {
			return err
		}
		rows, table := []row{}, [][]string{{"ID", "APP", "URL", "STATE", "BEHIND", "SENT", "DROPPED", "LAST ERROR"}}
		for _, d := range list {
			r := row{
				ID: d.ID, URL: d.Shown, Builds: d.Builds, Up: d.Up, Behind: d.Behind, Sent: d.Sent, Dropped: d.Dropped,
				Error: d.Error, By: d.By, Added: d.Added,
			}
			if d.App != "" {
				r.App = &d.App
			}
			if !d.ErrorAt.IsZero() {
				r.ErrorAt = &d.ErrorAt
			}
			rows = append(rows, r)
			table = append(table, []string{
				r.ID, command.AppOrAll(d.App), r.URL, state(d.State), count(r.Behind), count(r.Sent), count(r.Dropped), command.Failure(d.ErrorAt, d.Error),
			})
		}
		return c.List(*asJSON, rows, table)
	}
	return cmd
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

// state is how a drain is, in a word.
func state(s drain.State) string {
	switch {
	case s.Up:
		return "up"
	case s.ErrorAt.IsZero():
		return "new" // since gitd's start, nothing was sent
	}
	return "failing"
}

func (c commands) add() *cobra.Command {
	cmd := &cobra.Command{
		Use: "drains:add APP URL|- [--builds=false]", DisableFlagsInUseLine: true,
		Short: "send what an app says, from now on, to a receiver of syslog, JSON or OTLP",
		Long: "Send what an app says, and what its deployments print, to a receiver, from now on. --all in place of APP is\n" +
			"every app, for administrators. With - the URL is read from standard input, where no list of processes and no\n" +
			"shell's history shows the secrets in it. URLs:\n\n" +
			"  syslog+tls://HOST:6514          RFC 5424, encrypted\n" +
			"  syslog+tcp://HOST:514           RFC 5424, readable on the way\n" +
			"  https://USER:PASSWORD@HOST/PATH JSON: an array of lines in each request; https://:TOKEN@HOST for a bearer's token\n" +
			"  otlp://HOST/v1/logs             OpenTelemetry over HTTPS; users and tokens as above\n" +
			"  http://HOST, otlp+http://HOST   without encryption, for receivers in networks that an administrator has opened",
		Example: "drains:add shop - < url\ndrains:add shop syslog+tls://logs.example.org:6514\ndrains:add --all otlp+http://127.0.0.1:4318",
	}
	all := command.AllFlag(cmd)
	builds := cmd.Flags().Bool("builds", true, "send what deployments print too")
	cmd.Args = command.OfAppOrAll(all)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		app, word, err := c.Target(cmd.Context(), *all, a)
		if err != nil {
			return err
		}
		url, err := c.ReadURL(word)
		if err != nil {
			return err
		}
		d, err := c.Drains.Add(cmd.Context(), c.Actor, app, url, *builds)
		if err != nil {
			return err
		}
		c.WarnOfURL(word, cmd.Name())
		if strings.HasPrefix(url, "syslog+tcp:") {
			fmt.Fprintln(c.Err, " !     everybody on the way can read the lines: syslog+tls encrypts them")
		}
		_, err = fmt.Fprintf(c.Out, "%s sends what %s to %s; `%s` shows how it gets on\n", d.ID, says(app), d.Shown, lists(app))
		return err
	}
	return cmd
}

func says(app string) string {
	if app == "" {
		return "all apps say"
	}
	return app + " says"
}

func lists(app string) string { return strings.TrimSpace("drains " + app) }

func (c commands) remove() *cobra.Command {
	cmd := &cobra.Command{
		Use: "drains:remove APP ID", DisableFlagsInUseLine: true,
		Short: "no longer send what an app says to a receiver",
		Long: "No longer send what an app says to a receiver: by the id of the drain, or its URL as `drains` shows it.\n" +
			"--all in place of APP names a drain of all apps, for administrators.",
		Example: "drains:remove shop d-0a1b2c3d\ndrains:remove --all d-0a1b2c3d",
	}
	all := command.AllFlag(cmd)
	cmd.Args = command.OfAppOrAll(all)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		app, name, err := c.Target(cmd.Context(), *all, a)
		if err != nil {
			return err
		}
		d, err := c.Drains.Remove(cmd.Context(), c.Actor, app, name)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.Out, "%s is sent nothing any more\n", d.Shown)
		return err
	}
	return cmd
}
