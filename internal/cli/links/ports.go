// Package links is the commands about who reaches an app by TCP: the ports of the server that lead to it, and the apps
// that are linked to it.
//
// It owns their words and tables, and that only administrators change them. It does not own what they mean (package
// reach).
package links

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/offer"
	"github.com/nodeos-dev/gitd/internal/people"
	"github.com/nodeos-dev/gitd/internal/terminal"
)

type commands struct{ command.Shared }

// Commands are all of them.
func Commands(s command.Shared) []*cobra.Command {
	c := commands{s}
	return []*cobra.Command{c.ports(), c.portsAllow(), c.portsDeny(), c.links(), c.linksAdd(), c.linksRemove()}
}

// operator says why the caller may not change who reaches an app, or nil. The ports and the links are the operator's:
// to be administrator of the app is not enough.
func (c commands) operator(ctx context.Context, apps ...string) error {
	for _, app := range apps {
		if _, err := c.App(ctx, app, core.RoleView); err != nil {
			return err
		}
	}
	if !c.Admin {
		return people.ErrNotAdmin
	}
	return nil
}

// optional checks the app that a command was given, or returns "" for all that the caller may see.
func (c commands) optional(ctx context.Context, args []string) (app string, err error) {
	if len(args) == 0 {
		return "", nil
	}
	_, err = c.App(ctx, args[0], core.RoleView)
	return args[0], err
}

// portRow is a port of this server that leads to an app, or, with Host 0, one that only linked apps reach.
type portRow struct {
	App     string `json:"app"`
	Host    int    `json:"host,omitempty"`
	Port    int    `json:"port"`
	State   string `json:"state"`
	Now     int64  `json:"now"`
	Total   int64  `json:"total"`
	Refused int64  `json:"refused"`
	In      int64  `json:"bytes_in"`
	Out     int64  `json:"bytes_out"`
	From    string `json:"from,omitempty"`
}

func (c commands) ports() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ports [APP]", Short: "list the TCP ports of apps, with their connections",
		Long: "List the TCP ports of apps. PORT is that of this server, and TO that of the app's machines; one without a PORT\n" +
			"is reached by linked apps alone. NOW, TOTAL and REFUSED are connections, since the port was opened. An app says\n" +
			"which ports it has in package.json: \"nodeos\": {\"expose\": {\"tcp\": [5432]}}.",
		Example: "ports shop\nports --json", Args: command.Args(cobra.MaximumNArgs(1)),
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		app, err := c.optional(cmd.Context(), a)
		if err != nil {
			return err
		}
		all, err := c.portRows(cmd.Context(), app)
		if err != nil {
			return err
		}
		rows := [][]string{{"APP", "PORT", "TO", "STATE", "NOW", "TOTAL", "REFUSED", "SET BY"}}
		for _, r := range all {
			host := "-"
			if r.Host > 0 {
				host = strconv.Itoa(r.Host)
			}
			rows = append(rows, []string{
				r.App, host, strconv.Itoa(r.Port), r.State, fmt.Sprint(r.Now), fmt.Sprint(r.Total), fmt.Sprint(r.Refused), terminal.OrDash(r.From),
			})
		}
		return c.List(*asJSON, all, rows)
	}
	return cmd
}

// portRows are those of an app, or of all that the caller may see.
func (c commands) portRows(ctx context.Context, app string) ([]portRow, error) {
	hosts, err := c.Ports.HostPorts(ctx, app)
	if err != nil {
		return nil, err
	}
	open := map[int]offer.Use{}
	for _, u := range c.PortUse() {
		open[u.Host] = u
	}
	all := []portRow{}
	for _, p := range hosts {
		if !c.May(p.App, core.RoleView) {
			continue
		}
		r := portRow{App: p.App, Host: p.Host, Port: p.Port, State: "closed: no live release exposes it", From: "command"}
		if p.Range {
			r.From = "push"
		}
		if u, ok := open[p.Host]; ok && u.App == p.App {
			r.State, r.Now, r.Total, r.Refused, r.In, r.Out = "open", u.Now, u.Total, u.Refused, u.In, u.Out
			if u.Why != "" {
				r.State = "closed: " + u.Why
			}
		}
		all = append(all, r)
	}
	internal, err := c.internal(ctx, app)
	return append(all, internal...), err
}

// internal are the ports that only linked apps reach.
func (c commands) internal(ctx context.Context, app string) (all []portRow, err error) {
	names := []string{app}
	if app == "" {
		apps, err := c.Ledger.Apps(ctx)
		if err != nil {
			return nil, err
		}
		names = nil
		for _, a := range apps {
			if c.May(a.Name, core.RoleView) && a.Live > 0 {
				names = append(names, a.Name)
			}
		}
	}
	for _, name := range names {
		o, err := c.Ports.Offer(ctx, name)
		if err != nil {
			return nil, err
		}
		for _, port := range o.Ports() {
			has := slices.ContainsFunc(o.Hosts, func(p offer.HostPort) bool { return p.Port == port })
			if !has || slices.Contains(o.Internal, port) {
				all = append(all, portRow{App: name, Port: port, State: "for linked apps"})
			}
		}
	}
	return all, nil
}

func (c commands) portsAllow() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ports:allow APP PORT...", Short: "give an app TCP ports of this server (administrators)",
		Long: "Give an app TCP ports of this server. Each leads to the same port of the app's machines, or to the one after\n" +
			"the colon, as soon as a release exposes it in package.json: \"nodeos\": {\"expose\": {\"tcp\": [5432]}}.",
		Example: "ports:allow shop 5432\nports:allow shop 15432:5432", Args: command.Args(cobra.MinimumNArgs(2)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if err := c.operator(cmd.Context(), a[0]); err != nil {
			return err
		}
		var all []offer.HostPort
		for _, text := range a[1:] {
			p, err := offer.ParseHostPort(text)
			if err != nil {
				return err
			}
			p.App = a[0]
			all = append(all, p)
		}
		offer, err := c.Ports.Offer(cmd.Context(), a[0])
		if err != nil {
			return err
		}
		for _, p := range all {
			if err := c.Ports.AllowPort(cmd.Context(), c.Actor, p); err != nil {
				return err
			}
			when := "now"
			if !slices.Contains(offer.TCP, p.Port) {
				when = fmt.Sprintf(`when a release exposes it: "nodeos": {"expose": {"tcp": [%d]}}`, p.Port)
			}
			if err := c.done("port %d of this server leads to port %d of %s, %s", p.Host, p.Port, p.App, when); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

func (c commands) portsDeny() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ports:deny APP PORT...", Short: "take TCP ports of this server from an app, and cut what is connected there (administrators)",
		Example: "ports:deny shop 5432", Args: command.Args(cobra.MinimumNArgs(2)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if err := c.operator(cmd.Context(), a[0]); err != nil {
			return err
		}
		for _, text := range a[1:] {
			p, err := offer.ParseHostPort(text)
			if err != nil {
				return err
			}
			if err := c.Ports.DenyPort(cmd.Context(), c.Actor, a[0], p.Host); err != nil {
				return err
			}
			if err := c.done("port %d of this server is not %s's any more", p.Host, a[0]); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

func (c commands) done(format string, args ...any) error {
	_, err := fmt.Fprintf(c.Out, format+"\n", args...)
	return err
}
