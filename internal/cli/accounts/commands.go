// Package accounts is the commands about people: users, keys, who one is, the audit, and the sessions that run.
//
// It owns their words and tables. It does not own who may do what (package people).
package accounts

import (
	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
)

type commands struct{ command.Shared }

// Commands are those of this package, in the order of `help`.
func Commands(s command.Shared) []*cobra.Command {
	c := commands{s}
	return []*cobra.Command{
		c.users(), c.usersInvite(), c.usersGrant(), c.usersRevoke(), c.usersRename(), c.usersRemove(), c.usersAdd(),
		c.keys(), c.keysAdd(), c.keysRemove(), c.whoami(), c.claim(), eventCommands{s}.events(),
		sessionCommands{s}.sessions(), sessionCommands{s}.sessionsEnd(),
	}
}
