package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"gitd/internal/core"
	"gitd/internal/deploy"
	"gitd/internal/people"
)

// Logs reads what apps said.
type Logs interface {
	// Tail returns the last n lines of app, the oldest first.
	Tail(app string, n int) ([]core.Line, error)
	// TailRelease is Tail for what one release said.
	TailRelease(app string, release, n int) ([]core.Line, error)
	// Follow sends the last n lines and then live ones until ctx ends.
	Follow(ctx context.Context, app string, n int) (<-chan core.Line, error)
}

// Builds reads what deployments printed.
type Builds interface {
	// Text returns core.ErrNotFound when nothing was kept of a release.
	Text(app string, release int) (string, error)
}

// Services is what the commands act on.
type Services struct {
	Ledger   deploy.Ledger
	Settings deploy.Settings
	People   *people.Service
	Core     Core
	Logs     Logs
	Builds   Builds
	Counts   func(app string) core.Counts
	Kept     func(m core.Manifest) bool // whether an image is there to be booted
	Host     func(app string) string    // the name an app is served under
	URL      func(app string) string
	Defaults core.Resources // of a machine for which nothing is set
	Status   func() (HostStatus, error)
	Version  string
	Halt     func() // begins to stop the machines and the daemon
}

// Caller is who runs a command and with what.
type Caller struct {
	core.Actor
	In       io.Reader
	Out      io.Writer
	Err      io.Writer
	Door     Door      // how the caller reaches the SSH door
	Terminal *Terminal // what Out is shown on; nil: no terminal
}

// Size is that of a terminal, in columns and rows of characters.
type Size struct{ Width, Height int }

// The largest terminal that is drawn on, and the one of a client that does
// not know its own: sizes come from outside, and a screen is kept in memory.
const (
	maxWidth, maxHeight   = 500, 200
	someWidth, someHeight = 80, 24
)

// TerminalSize is a size that can be drawn on.
func TerminalSize(width, height int) Size {
	if width <= 0 || height <= 0 {
		return Size{someWidth, someHeight}
	}
	return Size{min(width, maxWidth), min(height, maxHeight)}
}

// Terminal is what a person looks at.
type Terminal struct {
	Size
	Resized <-chan Size // later sizes; nil: it keeps its size
}

// The groups of `help`, in its order.
const (
	groupApps   = "apps"
	groupDeploy = "deploy"
	groupLook   = "look"
	groupPeople = "people"
	groupHost   = "host"
)

// AddCommands fills root with the tree: one level, each command with a colon
// form ("keys:add") as Heroku's and Dokku's users type it.
func AddCommands(root *cobra.Command, s Services, c Caller) {
	t := &tree{s, c}
	root.AddGroup(
		&cobra.Group{ID: groupApps, Title: "Apps"},
		&cobra.Group{ID: groupDeploy, Title: "Releases"},
		&cobra.Group{ID: groupLook, Title: "What runs"},
		&cobra.Group{ID: groupPeople, Title: "People and keys"},
		&cobra.Group{ID: groupHost, Title: "The host"},
	)
	root.AddCommand(group(groupApps,
		t.apps(), t.appsCreate(), t.appsInfo(), t.appsRename(), t.appsDestroy(), t.appsLock(), t.appsUnlock(),
		t.config(), t.configGet(), t.configSet(), t.configUnset(), t.configImport(),
		t.resource(), t.domains(), t.domainsAdd(), t.domainsRemove(),
		t.volumes(), t.volumesCreate(), t.volumesRemove())...)
	root.AddCommand(group(groupDeploy, t.releases(), t.releasesPin(), t.releasesUnpin(), t.rollback(), t.buildsCancel())...)
	root.AddCommand(group(groupLook, t.ps(), t.psRestart(), t.psStop(), t.psStart(), t.logs(), t.overview())...)
	root.AddCommand(group(groupPeople,
		t.users(), t.usersInvite(), t.usersGrant(), t.usersRevoke(), t.usersRename(), t.usersRemove(), t.usersAdd(),
		t.keys(), t.keysAdd(), t.keysRemove(), t.events())...)
	root.AddCommand(group(groupHost, t.status(), t.du(), t.halt(), t.version())...)
	addAliases(root)
}

func group(id string, cmds ...*cobra.Command) []*cobra.Command {
	for _, c := range cmds {
		c.GroupID = id
	}
	return cmds
}

// tree is what every command is a method of.
type tree struct {
	Services
	Caller
}
