package cli

import "github.com/spf13/cobra"

// aliases are commands of Dokku and Heroku that go by another name here, and
// do what is meant.
var aliases = map[string][]string{
	"apps":           {"apps:list"},
	"apps:info":      {"apps:report"},
	"apps:destroy":   {"apps:delete"},
	"config":         {"config:show", "config:list"},
	"logs":           {"logs:show"},
	"ps":             {"ps:report", "ps:show", "dynos"},
	"ps:restart":     {"restart"},
	"releases":       {"releases:list"},
	"rollback":       {"releases:rollback"},
	"resource":       {"resource:limit", "resource:report"},
	"domains":        {"domains:report", "domains:list"},
	"domains:remove": {"domains:rm"},
	"volumes":        {"volumes:list", "storage:list"},
	"volumes:create": {"volumes:add"},
	"volumes:remove": {"volumes:rm", "volumes:destroy"},
	"keys":           {"ssh-keys:list", "keys:list"},
	"keys:add":       {"ssh-keys:add"},
	"keys:remove":    {"ssh-keys:remove", "keys:rm"},
	"users":          {"users:list"},
	"builds:cancel":  {"builds:stop"},
}

// hintFor says what to do instead of a command of Dokku or Heroku that has no
// counterpart here; empty: nothing is known of it.
func hintFor(name string) string {
	switch name {
	case "ps:scale", "ps:resize", "ps:type":
		return "an app is one machine here; make it larger: resource APP --memory 512M --cpus 2"
	case "run", "enter", "ps:exec", "bash", "sh", "shell", "console":
		return "a machine has no shell and runs the app alone; look into it with logs APP and ps APP"
	case "git:sync", "git:from-image", "git:from-archive", "builds:create":
		return "a release is made by git push, or by rollback APP"
	case "addons", "addons:create", "plugin:install":
		return "there are no add-ons; give the app the address of a service: config:set APP DATABASE_URL=…"
	case "proxy:ports", "ports", "ports:add", "proxy:ports-set":
		return "an app listens on $PORT; the front door leads APP.DOMAIN there"
	case "maintenance:on", "maintenance:off":
		return "ps:stop APP and ps:start APP stop and start it"
	case "storage:mount", "storage:create":
		return "a disk that stays: volumes:create APP NAME --size 1G --mount /data"
	default:
		return ""
	}
}

// addAliases gives the commands of root their names in Dokku and Heroku.
func addAliases(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		cmd.Aliases = aliases[cmd.Name()]
	}
}
