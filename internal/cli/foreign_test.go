package cli

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/cli/foreign"
	"github.com/nodeos-dev/gitd/internal/core"
)

// typed are words that newcomers typed and that no list below has.
const typed = "ls tags whoami exec open backup postgres:create nginx:set checks:report cron:list plugin:list network scheduler registry id cd top scp " +
	"app:create new delete build redeploy push clone pull secrets secret:set set vars limits reboot undo invite history yarn crontab cert " +
	"volumes:mount builds:cache:purge domains:verify free man"

// TestForeignCommands: every command of Dokku and of Heroku, as their own sources list them (Dokku 0.38 with its usual
// plugins, Heroku's CLI 11), does here what is meant, or is told what to do instead. 45 of 127 that newcomers typed
// ended in a bare "unknown command", and some in a wrong guess: `tags` was taken for `logs`, `ls` for `du`.
func TestForeignCommands(t *testing.T) {
	root := &cobra.Command{Use: "gitd"}
	AddCommands(root, command.Services{Version: "v1"}, command.Caller{})
	names := strings.Fields(typed)
	for _, file := range []string{"testdata/dokku.txt", "testdata/heroku.txt"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, strings.Fields(string(text))...)
	}
	if len(names) < 900 {
		t.Errorf("only %d commands are tried", len(names))
	}
	for _, name := range names {
		code, said := answer("help", name)
		_, _, err := root.Find(foreign.Rewrite([]string{name}))
		if err == nil && !strings.HasSuffix(name, ":help") {
			if code != exitOK {
				t.Errorf("help %s: exit %d\n%s", name, code, said)
			}
			continue
		}
		if strings.HasSuffix(name, ":help") && code == exitOK {
			continue
		}
		for _, words := range [][]string{{"help", name}, {name}, {name, "shop"}, {name, "--app", "shop"}} {
			if code, said := answer(words...); code != exitUsage || !strings.HasPrefix(said, " !     there is no ") || strings.Count(said, "\n") != 2 {
				t.Errorf("%q: exit %d\n%s", words, code, said)
			}
		}
	}
}

// TestForeignFlags: a flag that means something at Dokku or Heroku is answered with what there is, and with the usage.
func TestForeignFlags(t *testing.T) {
	for line, want := range map[string]string{
		"apps:destroy shop --force":            "--confirm APP",
		"logs shop -q":                         "--json is for programs",
		"logs --dyno web.1 -a shop":            "logs APP --ps worker.1",
		"config:export --format json shop":     "config APP --json",
		"ps:restart --all":                     "one app",
		"apps:create shop --region eu":         "on this host",
		"apps:rename --skip-deploy shop shop2": "--no-restart",
	} {
		code, said := answer(strings.Fields(line)...)
		if code != exitUsage || !strings.Contains(said, want) || !strings.Contains(said, "usage: gitd ") || strings.Count(said, "\n") != 3 {
			t.Errorf("%q: exit %d\n%s", line, code, said)
		}
	}
	if _, said := answer("apps:info", "shop", "--nope"); strings.Count(said, "\n") != 2 {
		t.Errorf("an unknown flag:\n%s", said)
	}
}

// answer runs a command line as somebody who may nothing.
func answer(words ...string) (int, string) {
	var out, msg bytes.Buffer
	c := command.Caller{Actor: core.Actor{Name: "sam"}, In: strings.NewReader(""), Out: &out, Err: &msg}
	code := Run(context.Background(), command.Services{Version: "v1"}, c, words)
	return code, msg.String()
}

var quotedCommand = regexp.MustCompile("`([^` ]+)[^`]*`")

// TestHintsNameCommands: a hint that leads to a command which does not exist is worse than none.
func TestHintsNameCommands(t *testing.T) {
	root := &cobra.Command{Use: "gitd"}
	AddCommands(root, command.Services{Version: "v1"}, command.Caller{})
	own := []string{"help"}
	for _, cmd := range root.Commands() {
		own = append(own, cmd.Name())
	}
	for hint := range foreign.Hints() {
		for _, m := range quotedCommand.FindAllStringSubmatch(hint, -1) {
			if !slices.Contains(own, m[1]) {
				t.Errorf("%q is no command, in the hint %q", m[1], hint)
			}
		}
	}
}
