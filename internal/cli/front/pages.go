package front

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/rules"
	"github.com/nodeos-dev/gitd/internal/units"
)

// pageRow is a page of an app's own.
type pageRow struct {
	Status int `json:"status"`
	Bytes  int `json:"bytes"`
}

func (c commands) pages() *cobra.Command {
	cmd := &cobra.Command{
		Use: "pages APP [STATUS]", Short: "list the pages that visitors of an app see in place of the front door's, or print one",
		Example: "pages shop\npages shop 503", Args: command.Args(cobra.RangeArgs(1, 2)),
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		set, err := c.rulesOf(cmd.Context(), a[0])
		if err != nil {
			return err
		}
		if len(a) == 2 {
			return c.printPage(a[0], a[1], set)
		}
		if len(set.Pages) == 0 && !*asJSON {
			return c.say("visitors of %s see the front door's own pages; `pages:set %s 503 < page.html` sets another", a[0], a[0])
		}
		list, rows := []pageRow{}, [][]string{{"STATUS", "SIZE"}}
		for _, status := range slices.Sorted(maps.Keys(set.Pages)) {
			n := len(set.Pages[status])
			list, rows = append(list, pageRow{status, n}), append(rows, []string{strconv.Itoa(status), units.Bytes(int64(n))})
		}
		return c.List(*asJSON, list, rows)
	}
	return cmd
}

func (c commands) printPage(app, word string, set rules.Set) error {
	status, err := parseStatus(word)
	if err != nil {
		return err
	}
	page, ok := set.Pages[status]
	if !ok {
		return core.Reject(fmt.Sprintf("%s has no page for %d", app, status), "`pages "+app+"` lists what it has")
	}
	_, err = io.WriteString(c.Out, page)
	return err
}

func parseStatus(word string) (int, error) {
	n, err := strconv.Atoi(word)
	if err != nil {
		return 0, core.Reject(fmt.Sprintf("%.20q is no status", word), "choose one of "+rules.StatusList())
	}
	return n, nil
}

func (c commands) pagesSet() *cobra.Command {
	cmd := &cobra.Command{
		Use: "pages:set APP STATUS < page.html", DisableFlagsInUseLine: true,
		Short: "show visitors of an app a page of its own when the front door answers with STATUS",
		Long: "Show visitors of an app a page of its own (on standard input) when the front door answers in its place: 502, 503 and\n" +
			"504 when the app does not, 403, 413 and 429 when a rule refuses. What the app itself answers is never replaced.\n" +
			"The page loads nothing and runs no script (images and fonts as data: URLs); 128 KiB at most.",
		Example: "pages:set shop 503 < page.html", Args: command.Args(cobra.ExactArgs(2)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleAdmin); err != nil {
			return err
		}
		status, err := parseStatus(a[1])
		if err != nil {
			return err
		}
		page, err := c.page()
		if err != nil {
			return err
		}
		if err := c.Front.SetPage(cmd.Context(), c.Actor, a[0], status, page); err != nil {
			return err
		}
		return c.say("visitors of %s see this page when the front door answers with %d", a[0], status)
	}
	return cmd
}

func (c commands) pagesRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use: "pages:remove APP STATUS", Short: "show the front door's own page again",
		Example: "pages:remove shop 503", Args: command.Args(cobra.ExactArgs(2)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleAdmin); err != nil {
			return err
		}
		status, err := parseStatus(a[1])
		if err != nil {
			return err
		}
		if err := c.Front.RemovePage(cmd.Context(), c.Actor, a[0], status); err != nil {
			return err
		}
		return c.say("visitors of %s see the front door's own page for %d", a[0], status)
	}
	return cmd
}
