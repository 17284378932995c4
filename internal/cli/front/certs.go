package front

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
)

// maxPair is how much is read of a certificate with its chain and key, in bytes.
const maxPair = 1 << 20

// Certs are those that change how an app is served.
func Certs(s command.Shared) []*cobra.Command {
	c := commands{s}
	return []*cobra.Command{c.certs(), c.certsSet(), c.certsRemove()}
}

// certRow is the certificate of a host.
type certRow struct {
	Host   string                 `json:"host"`
	From   core.CertificateSource `json:"from"`  // empty: there is none
	Until  *time.Time             `json:"until"` // null: there is none yet
	Reason string                 `json:"reason,omitempty"`
	Next   *time.Time             `json:"next,omitempty"` // when it is tried again
}

func (c commands) certs() *cobra.Command {
	cmd := &cobra.Command{
		Use: "certs APP", Short: "show the certificates of an app's hosts, and when they end",
		Long: "Show the certificates of an app's hosts, and when they end. FROM is acme (asked for and renewed by itself),\n" +
			"set (by certs:set) or folder (the operator's). One that did not come is shown with the reason.",
		Example: "certs shop\ncerts shop --json", Args: command.Args(cobra.ExactArgs(1)),
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleView); err != nil {
			return err
		}
		if c.Certificates == nil {
			return errNoHTTPS
		}
		hosts, err := c.hosts(cmd.Context(), a[0])
		if err != nil {
			return err
		}
		list, rows := []certRow{}, [][]string{{"HOST", "FROM", "CERTIFICATE"}}
		for _, host := range hosts {
			s := c.Certificates.State(host)
			row := certRow{Host: host, From: s.From, Reason: s.Reason}
			if !s.Until.IsZero() {
				row.Until = new(s.Until.UTC())
			}
			if !s.Next.IsZero() {
				row.Next = new(s.Next.UTC())
			}
			list, rows = append(list, row), append(rows, []string{host, string(s.From), s.String()})
		}
		return c.List(*asJSON, list, rows)
	}
	return cmd
}

// hosts are those at which an app is served, its own first.
func (c commands) hosts(ctx context.Context, app string) ([]string, error) {
	list, err := c.Settings.Domains(ctx, app)
	hosts := []string{c.Host(app)}
	for _, d := range list {
		hosts = append(hosts, d.Host)
	}
	return hosts, err
}

// errNoHTTPS is the answer of a server without certificates.
var errNoHTTPS = core.Reject("this server does not speak HTTPS", "its operator turns it on: gitd serve --https :443")

func (c commands) certsSet() *cobra.Command {
	cmd := &cobra.Command{
		Use: "certs:set APP HOST < both.pem", DisableFlagsInUseLine: true,
		Short: "serve a host of an app with a certificate of your own",
		Long: "Serve a host of an app with a certificate of your own. On standard input come the certificate, its chain and\n" +
			"its private key, in PEM. The key is sealed in the ledger, and nothing shows it again.",
		Example: "certs:set shop www.example.org < both.pem", Args: command.Args(cobra.ExactArgs(2)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if err := c.mayCerts(cmd.Context(), a[0]); err != nil {
			return err
		}
		text, err := io.ReadAll(io.LimitReader(c.In, maxPair+1))
		switch {
		case err != nil:
			return err
		case len(text) > maxPair:
			return errors.New("that is more than a certificate with its chain and key can be")
		}
		host := strings.ToLower(a[1])
		s, err := c.Certificates.Set(cmd.Context(), c.Actor, a[0], host, text)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.Out, "%s is served with your certificate: %s\n", host, s)
		return err
	}
	return cmd
}

func (c commands) certsRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use: "certs:remove APP HOST", Short: "forget a certificate that was set",
		Example: "certs:remove shop www.example.org", Args: command.Args(cobra.ExactArgs(2)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if err := c.mayCerts(cmd.Context(), a[0]); err != nil {
			return err
		}
		if err := c.Certificates.Remove(cmd.Context(), c.Actor, a[0], strings.ToLower(a[1])); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.Out, "the certificate of %s was removed\n", strings.ToLower(a[1]))
		return err
	}
	return cmd
}

// mayCerts says why the caller may not change the certificates of an app, or nil.
func (c commands) mayCerts(ctx context.Context, app string) error {
	if _, err := c.App(ctx, app, core.RoleAdmin); err != nil {
		return err
	}
	if c.Certificates == nil {
		return errNoHTTPS
	}
	return nil
}
