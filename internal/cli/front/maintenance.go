package front

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/rules"
)

// maintenanceRow is whether visitors see a page in place of an app.
type maintenanceRow struct {
	On    bool      `json:"on"`
	Since time.Time `json:"since,omitzero"`
	By    string    `json:"by,omitempty"`
	Allow []string  `json:"allow"`
	Page  int       `json:"page_bytes"` // 0: none of its own
	Retry float64   `json:"retry_seconds,omitempty"`
}

func (c commands) maintenance() *cobra.Command {
	cmd := &cobra.Command{
		Use: "maintenance APP", Short: "show whether visitors see a page in place of an app",
		Example: "maintenance shop\nmaintenance shop --json", Args: command.Args(cobra.ExactArgs(1)),
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		set, err := c.rulesOf(cmd.Context(), a[0])
		if err != nil {
			return err
		}
		m := set.Maintenance
		if m == nil && !*asJSON {
			return c.say("%s is open; `maintenance:on %s` closes it", a[0], a[0])
		}
		row := maintenanceRow{Allow: []string{}}
		rows := [][]string{{"SETTING", "VALUE"}}
		if m != nil {
			row = maintenanceRow{On: true, Since: m.Since, By: m.By, Allow: []string{}, Page: len(m.Page), Retry: m.Retry.Seconds()}
			rows = append(rows, []string{"since", m.Since.UTC().Format(time.DateTime) + " UTC, by " + m.By},
				[]string{"page", pageText(m.Page)}, []string{"retry after", m.Retry.String()})
			for _, p := range m.Allow {
				row.Allow = append(row.Allow, core.SourceText(p))
				rows = append(rows, []string{"lets in", core.SourceText(p)})
			}
		}
		return c.List(*asJSON, row, rows)
	}
	return cmd
}

func pageText(html string) string {
	if html == "" {
		return "the front door's"
	}
	return fmt.Sprintf("its own, %d bytes", len(html))
}

func (c commands) maintenanceOn() *cobra.Command {
	cmd := &cobra.Command{
		Use: "maintenance:on APP [--page < page.html] [--allow ADDRESS] [--retry 10m]", DisableFlagsInUseLine: true,
		Short: "show visitors a page in place of an app, which goes on running",
		Long: "Show visitors a page in place of an app (503, with Retry-After). The app goes on running, and so do its workers and\n" +
			"jobs; --allow names addresses from which it is still seen. Requests and WebSockets that run go on. With --page, the\n" +
			"page is read from standard input: HTML that loads nothing (images and fonts as data: URLs), 128 KiB at most.",
		Example: "maintenance:on shop --allow 203.0.113.7\nmaintenance:on shop --page --retry 1h < page.html", Args: command.Args(cobra.ExactArgs(1)),
	}
	page := cmd.Flags().Bool("page", false, "show the page on standard input")
	allow := cmd.Flags().StringSlice("allow", nil, "an address or a network that still sees the app; again, or with commas, for more")
	retry := cmd.Flags().Duration("retry", time.Minute, "when clients are told to try again")
	cmd.RunE = func(cmd *cobra.Command, a []string) (err error) {
		if _, err := c.App(cmd.Context(), a[0], core.RoleDeploy); err != nil {
			return err
		}
		m := rules.Maintenance{Retry: *retry}
		if *retry < time.Second {
			return command.Misuse(cmd, errors.New("--retry is a time of a second or more: 10m, 1h"))
		}
		if m.Allow, err = sources(*allow); err != nil {
			return err
		}
		if *page {
			if m.Page, err = c.page(); err != nil {
				return err
			}
			if err := rules.CheckPage(m.Page); err != nil {
				return err
			}
		}
		if err := c.Front.BeginMaintenance(cmd.Context(), c.Actor, a[0], m); err != nil {
			return err
		}
		return c.say("%s is closed for visitors, and goes on running; `maintenance:off %s` opens it", a[0], a[0])
	}
	return cmd
}

func (c commands) maintenanceOff() *cobra.Command {
	cmd := &cobra.Command{
		Use: "maintenance:off APP", Short: "let visitors see an app again",
		Example: "maintenance:off shop", Args: command.Args(cobra.ExactArgs(1)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleDeploy); err != nil {
			return err
		}
		if err := c.Front.EndMaintenance(cmd.Context(), c.Actor, a[0]); err != nil {
			return err
		}
		return c.say("%s is open", a[0])
	}
	return cmd
}
