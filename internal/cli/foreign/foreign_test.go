package foreign

import (
	"slices"
	"strings"
	"testing"
)

func TestRewrite(t *testing.T) {
	for line, want := range map[string]string{
		"":                              "",
		"logs shop":                     "logs shop",
		"releases:output shop":          "logs --build shop",
		"builds:output -a shop":         "logs --build -a shop",
		"help releases:output":          "help logs",
		"apps:help":                     "help apps",
		"nginx:help":                    "help nginx",
		"help apps:help":                "help apps",
		"help help":                     "help help",
		"help":                          "help",
		"apps:help shop":                "help apps",
		"config:set shop A=apps:help":   "config:set shop A=apps:help",
		"config:set releases:output A=": "config:set releases:output A=",
	} {
		if got := strings.Join(Rewrite(strings.Fields(line)), " "); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// TestHint: the hint of a command goes before that of its family, and a family is not every word that begins like it.
func TestHint(t *testing.T) {
	for name, want := range map[string]string{
		"nginx": ownDoor, "nginx:set": ownDoor, "nginx:a:b:c": ownDoor, "nginxes": "", "": "", ":": "", "pg:backups:capture": noAddons,
		"apps": "", "apps:creat": "", "git:sync": byPush, "ps:rebuildall": exact["ps:rebuildall"],
	} {
		if got := Hint(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestFlagHint(t *testing.T) {
	for flag, known := range map[string]bool{"--force": true, "-q": true, "--json": false, "-": false, "": false, "--forced": false} {
		if got := FlagHint(flag); (got != "") != known {
			t.Errorf("%q: %q", flag, got)
		}
	}
}

// TestNoNameTwice: a name that stands in two rows would get the words of one of them, whichever comes last.
func TestNoNameTwice(t *testing.T) {
	var all []string
	for _, h := range hints {
		all = append(all, strings.Fields(h.names)...)
	}
	for _, names := range aliases {
		all = append(all, strings.Fields(names)...)
	}
	for name := range rewrites {
		all = append(all, name)
	}
	slices.Sort(all)
	for i := 1; i < len(all); i++ {
		if all[i] == all[i-1] {
			t.Errorf("%s stands in the tables twice", all[i])
		}
	}
}
