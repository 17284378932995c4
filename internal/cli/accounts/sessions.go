package accounts

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/terminal"
)

// sessionCommands are about what runs over SSH.
type sessionCommands struct{ command.Shared }

// The commands by which people end what they have too much of.
const (
	SessionsName    = "sessions"
	SessionsEndName = "sessions:end"
)

// sessionRow is a session for programs.
type sessionRow struct {
	ID      int       `json:"id"`
	Who     string    `json:"who"`
	From    string    `json:"from"`
	Command string    `json:"command"`
	Since   time.Time `json:"since"`
	Stays   bool      `json:"stays"` // until somebody ends it
}

func (c sessionCommands) sessions() *cobra.Command {
	cmd := &cobra.Command{
		Use: SessionsName, Short: "list the sessions of SSH that run: yours, or, for an administrator, all", Example: "sessions\nsessions --json",
		Args: command.Args(cobra.NoArgs),
		Long: "List the sessions of SSH that run: commands, and fetches and pushes of git. Those of yours are listed, and for an\n" +
			"administrator all. How many one user may have is bounded, and half of them may go on until somebody ends them.",
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		rows, table := []sessionRow{}, [][]string{{"ID", "WHO", "FROM", "COMMAND", "BEGAN"}}
		for _, s := range c.known() {
			rows = append(rows, sessionRow{s.ID, s.Who, s.From, s.Command, s.Since, s.Stays})
			table = append(table, []string{strconv.Itoa(s.ID), s.Who, s.From, s.Command, terminal.Ago(s.Since)})
		}
		return c.List(*asJSON, rows, table)
	}
	return cmd
}

// known are the sessions that the caller may see and end.
func (c sessionCommands) known() []command.Session {
	return slices.DeleteFunc(c.Sessions.List(), func(s command.Session) bool {
		return !c.Admin && s.Account != c.Account()
	})
}

func (c sessionCommands) sessionsEnd() *cobra.Command {
	cmd := &cobra.Command{
		Use: SessionsEndName + " ID... | --user NAME", DisableFlagsInUseLine: true, Short: "end sessions of SSH that run, or all of a user",
		Args:    command.Args(cobra.ArbitraryArgs),
		Example: "sessions:end 17\nsessions:end --user sam",
		Long: "End sessions of SSH that run, or all of a user but those that run this command. You may end yours, and an\n" +
			"administrator all. A deployment that has begun continues; `builds:cancel` ends it.",
	}
	user := cmd.Flags().String("user", "", "all of this user")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if (len(a) == 0) == (*user == "") {
			return command.Misuse(cmd, errors.New("name sessions by their ids, or a user"))
		}
		chosen, err := c.chosen(a, *user)
		if err != nil {
			return err
		}
		for _, s := range chosen {
			if c.Sessions.End(s.ID) {
				fmt.Fprintf(c.Out, "ended: %d, %s of %s\n", s.ID, s.Command, s.Who)
			}
		}
		return nil
	}
	return cmd
}

// chosen are the sessions with these ids, or those of user.
func (c sessionCommands) chosen(ids []string, user string) ([]command.Session, error) {
	known := c.known()
	if user != "" {
		of := slices.DeleteFunc(known, func(s command.Session) bool { return s.Who != user || s.Command == SessionsEndName })
		if len(of) == 0 {
			return nil, core.Reject("no session of that user runs, or none that is yours to end", "`sessions` lists those that are")
		}
		return of, nil
	}
	var chosen []command.Session
	for _, id := range ids {
		i := slices.IndexFunc(known, func(s command.Session) bool { return strconv.Itoa(s.ID) == id })
		if i < 0 {
			return nil, core.Reject(fmt.Sprintf("no session %.20q runs, or none that is yours to end", id), "`sessions` lists those that are")
		}
		chosen = append(chosen, known[i])
	}
	return chosen, nil
}
