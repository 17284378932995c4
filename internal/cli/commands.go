package cli

import (
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/terminal"
)

// Caller is who runs a command and with what.
type Caller struct {
	core.Actor
	In       io.Reader
	Out      io.Writer
	Err      io.Writer
	Door     Door             // how the caller reaches the SSH door
	Terminal *terminal.Window // what Out is shown on; nil: no terminal
}

// shared is what all commands have: what they act on, and who calls.
type shared struct {
	Services
	Caller
}

// The commands, by their subjects.
type (
	appCommands     struct{ shared } // the apps themselves
	configCommands  struct{ shared } // the config variables of an app
	settingCommands struct{ shared } // the resources, domains and volumes of an app
	releaseCommands struct{ shared } // the releases of an app
	runCommands     struct{ shared } // how an app runs, and what it says
	peopleCommands  struct{ shared } // users, keys, and the audit
	hostCommands    struct{ shared } // the host and gitd itself
)

// AddCommands fills root with the tree: one level, each command with a colon
// form ("keys:add") as Heroku's and Dokku's users type it.
func AddCommands(root *cobra.Command, s Services, c Caller) {
	all := shared{s, c}
	for _, g := range []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{"apps", "Apps", slices.Concat(appCommands{all}.commands(), configCommands{all}.commands(), settingCommands{all}.commands())},
		{"deploy", "Releases", releaseCommands{all}.commands()},
		{"look", "What runs", runCommands{all}.commands()},
		{"people", "People and keys", peopleCommands{all}.commands()},
		{"host", "The host", hostCommands{all}.commands()},
	} {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, cmd := range g.commands {
			cmd.GroupID = g.id
			nameApp(cmd)
			root.AddCommand(cmd)
		}
	}
	addAliases(root)
	root.Version = s.Version
	root.SetVersionTemplate("gitd {{.Version}}\n")
}

func (c appCommands) commands() []*cobra.Command {
	return []*cobra.Command{
		c.apps(), c.appsCreate(), c.appsInfo(), c.appsRename(), c.appsDestroy(), c.appsLock(), c.appsUnlock(),
	}
}

func (c configCommands) commands() []*cobra.Command {
	return []*cobra.Command{c.config(), c.configGet(), c.configSet(), c.configUnset(), c.configImport(), c.configExport()}
}

func (c settingCommands) commands() []*cobra.Command {
	return []*cobra.Command{
		c.resource(), c.domains(), c.domainsAdd(), c.domainsRemove(), c.volumes(), c.volumesCreate(), c.volumesRemove(),
	}
}

func (c releaseCommands) commands() []*cobra.Command {
	return []*cobra.Command{c.releases(), c.releasesPin(), c.releasesUnpin(), c.rollback(), c.buildsCancel()}
}

func (c runCommands) commands() []*cobra.Command {
	return []*cobra.Command{c.ps(), c.psRestart(), c.psRebuild(), c.psStop(), c.psStart(), c.logs(), c.overview()}
}

func (c peopleCommands) commands() []*cobra.Command {
	return []*cobra.Command{
		c.users(), c.usersInvite(), c.usersGrant(), c.usersRevoke(), c.usersRename(), c.usersRemove(), c.usersAdd(),
		c.keys(), c.keysAdd(), c.keysRemove(), c.whoami(), c.events(),
	}
}

func (c hostCommands) commands() []*cobra.Command {
	return []*cobra.Command{c.status(), c.du(), c.halt(), c.version()}
}
