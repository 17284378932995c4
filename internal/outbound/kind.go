package outbound

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Kind is one kind of receivers that people name: drains, or webhooks. Those of all apps have the empty app.
type Kind struct {
	Name   string // of one: "drain"
	List   string // the command that lists them: "drains"
	Remove string // the command that removes one: "drains:remove"
	Prefix string // of ids: "d-"
}

// How many receivers of each kind there may be.
const (
	MaxOfApp = 5
	MaxOfAll = 20
)

// NewID is an id that no other one has.
func (k Kind) NewID() string {
	var id [4]byte
	rand.Read(id[:])
	return k.Prefix + hex.EncodeToString(id[:])
}

// Room refuses another one for app, which has n.
func (k Kind) Room(app string, n int) error {
	hint := "`" + k.lists(app) + "` lists them, " + k.Remove + " removes one"
	switch {
	case app == "" && n >= MaxOfAll:
		return core.Reject(fmt.Sprintf("there are %d %ss of all apps, which is as many as there may be", n, k.Name), hint)
	case app != "" && n >= MaxOfApp:
		return core.Reject(fmt.Sprintf("%s has %d %ss, which is as many as an app may have", app, n, k.Name), hint)
	}
	return nil
}

// NotOne is why a name that found so many of app, and not one, names none.
func (k Kind) NotOne(app string, found int) error {
	of := app
	if app == "" {
		of = "all apps"
	}
	if found > 1 {
		return core.Reject(fmt.Sprintf("%d %ss of %s have this URL", found, k.Name, of), "name the one by its id: `"+k.lists(app)+"` shows it")
	}
	return core.Reject("there is no such "+k.Name+" of "+of, "`"+k.lists(app)+"` shows their ids")
}

func (k Kind) lists(app string) string {
	if app == "" {
		return k.List
	}
	return k.List + " " + app
}
