package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/net/idna"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
)

func (c settingCommands) domains() *cobra.Command {
	cmd := &cobra.Command{
		Use: "domains APP", Short: "list the host names at which an app is served",
		Example: "domains shop\ndomains shop --json", Args: command.Args(cobra.ExactArgs(1)),
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleView); err != nil {
			return err
		}
		list, err := c.Settings.Domains(cmd.Context(), a[0])
		if err != nil {
			return err
		}
		hosts, rows := []string{c.Host(a[0])}, [][]string{{"HOST"}}
		for _, d := range list {
			hosts = append(hosts, d.Host)
		}
		for _, host := range hosts {
			rows = append(rows, []string{host})
		}
		if c.Certificates != nil {
			rows[0] = append(rows[0], "CERTIFICATE")
			for i, host := range hosts {
				rows[i+1] = append(rows[i+1], c.Certificates.State(host).String())
			}
		}
		return c.List(*asJSON, hosts, rows)
	}
	return cmd
}

func (c settingCommands) domainsAdd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "domains:add APP HOST", Short: "serve an app at one more host name",
		Example: "domains:add shop www.example.org", Args: command.Args(cobra.ExactArgs(2)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleAdmin); err != nil {
			return err
		}
		host := asciiHost(a[1])
		if err := c.Core.AddDomain(cmd.Context(), c.Actor, a[0], host); err != nil {
			return err
		}
		text := "%s is served at %s; its DNS must lead here\n"
		if c.Certificates != nil {
			text = "%s is served at %s; its DNS must lead here. `domains %[1]s` says how far its certificate is\n"
		}
		_, err := fmt.Fprintf(c.Out, text, a[0], host)
		return err
	}
	return cmd
}

func (c settingCommands) domainsRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use: "domains:remove APP HOST", Short: "no longer serve an app at a host name",
		Example: "domains:remove shop www.example.org", Args: command.Args(cobra.ExactArgs(2)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleAdmin); err != nil {
			return err
		}
		host := asciiHost(a[1])
		err := c.Core.RemoveDomain(cmd.Context(), c.Actor, a[0], host)
		if errors.Is(err, core.ErrNotFound) {
			return fmt.Errorf("%s is not served at %s; `domains %s` lists where it is", a[0], host, a[0])
		}
		if err == nil {
			_, err = fmt.Fprintf(c.Out, "%s is no longer served at %s\n", a[0], host)
		}
		return err
	}
	return cmd
}

// asciiHost is a host name as DNS has it: bücher.example becomes
// xn--bcher-kva.example. What is none stays as it is, for the core to refuse.
func asciiHost(host string) string {
	if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		return ascii
	}
	return strings.ToLower(host)
}
