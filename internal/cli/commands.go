package cli

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/accounts"
	"github.com/nodeos-dev/gitd/internal/cli/backups"
	"github.com/nodeos-dev/gitd/internal/cli/bases"
	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/cli/disks"
	"github.com/nodeos-dev/gitd/internal/cli/drains"
	"github.com/nodeos-dev/gitd/internal/cli/front"
	"github.com/nodeos-dev/gitd/internal/cli/images"
	"github.com/nodeos-dev/gitd/internal/cli/links"
	"github.com/nodeos-dev/gitd/internal/cli/policies"
	"github.com/nodeos-dev/gitd/internal/cli/quotas"
	"github.com/nodeos-dev/gitd/internal/cli/sleeping"
	"github.com/nodeos-dev/gitd/internal/cli/tasks"
	"github.com/nodeos-dev/gitd/internal/cli/webhooks"
)

// The commands, by their subjects.
type (
	appCommands     struct{ command.Shared } // the apps themselves
	configCommands  struct{ command.Shared } // the config variables of an app
	settingCommands struct{ command.Shared } // the resources, domains and volumes of an app
	releaseCommands struct{ command.Shared } // the releases of an app
	runCommands     struct{ command.Shared } // how an app runs, and what it says
	hostCommands    struct{ command.Shared } // the host and gitd itself
)

// AddCommands fills root with the tree: one level, each command with a colon
// form ("keys:add") as Heroku's and Dokku's users type it.
func AddCommands(root *cobra.Command, s command.Services, c command.Caller) {
	all := command.Shared{Services: s, Caller: c}
	for _, g := range []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{"apps", "Apps", slices.Concat(appCommands{all}.commands(), configCommands{all}.commands(), settingCommands{all}.commands(), networkCommands{all}.commands(), links.Commands(all), front.Commands(all), front.Certs(all), backups.OfVolumes(all), quotas.OfApps(all))},
		{"deploy", "Releases", slices.Concat(releaseCommands{all}.commands(), policies.Commands(all), images.Commands(all), disks.Commands(all))},
		{"look", "What runs", slices.Concat(runCommands{all}.commands(), sleeping.Commands(all), tasks.Commands(all), front.Looks(all), drains.Commands(all), webhooks.Commands(all))},
		{"people", "People and keys", slices.Concat(accounts.Commands(all), quotas.OfPeople(all))},
		{"base", "Kernel, libraries and Node of all apps", bases.Commands(all)},
		{"host", "The host", slices.Concat(hostCommands{all}.commands(), backups.OfHost(all))},
	} {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, cmd := range g.commands {
			cmd.GroupID = g.id
			nameApp(cmd)
			root.AddCommand(cmd)
		}
	}
	command.AddAliases(root)
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
		c.appsConfig(), c.resource(), c.domains(), c.domainsAdd(), c.domainsRemove(), c.volumes(), c.volumesCreate(), c.volumesRemove(),
	}
}

func (c releaseCommands) commands() []*cobra.Command {
	return []*cobra.Command{c.releases(), c.releasesPin(), c.releasesUnpin(), c.rollback(), c.buildsCancel()}
}

func (c runCommands) commands() []*cobra.Command {
	return []*cobra.Command{c.ps(), c.psScale(), c.psRestart(), c.psRebuild(), c.psStop(), c.psStart(), c.logs(), c.overview()}
}

func (c hostCommands) commands() []*cobra.Command {
	return []*cobra.Command{c.status(), c.hostkeys(), c.du(), c.tools(), c.toolsAccept(), c.halt(), c.upgrade(), c.version()}
}
