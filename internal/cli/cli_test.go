package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
)

func TestExitCodes(t *testing.T) {
	tests := []struct {
		line string
		code int
		says string // on standard error
	}{
		{"version", exitOK, ""},
		{"help", exitOK, ""},
		{"help nope", exitUsage, `unknown command "nope"`},
		{"- x", exitUsage, "unknown command"},
		{"ps:scale web=2", exitUsage, "name the app first"},
		{"enter shop", exitUsage, "has no shell"},
		{"run", exitUsage, "usage: gitd run APP"},
		{"config:set", exitUsage, "usage: gitd config:set APP NAME=VALUE..."},
		{"config:set shop hunter2", exitUsage, "word 1 is not NAME=VALUE"},
		{"config:set shop 9X=hunter2", exitUsage, "no name of a variable"},
		{"config:set shop PORT=hunter2", exitUsage, "must listen"},
		{"config:set shop", exitUsage, "nothing to set"},
		{"config:get shop", exitUsage, "usage: gitd config:get APP NAME"},
		{"resource shop --memory lots", exitFailed, "there is no app"},
		{"logs shop --release x", exitFailed, "there is no app"},
		{"rollback shop x y", exitUsage, "usage: gitd rollback APP [vN]"},
		{"overview", exitFailed, "ask ssh for one"},
		{"status", exitFailed, "only an administrator"},
		{"apps:create Shop", exitFailed, "invalid app name"},
		{"apps:create shop", exitFailed, "users:grant sam shop deploy"},
		{"aps", exitUsage, `unknown command "aps"`},
		{"apps extra", exitUsage, "apps takes no argument \"extra\"\n !     usage: gitd apps"},
		{"help apps extra", exitUsage, "usage: gitd help"},
		{"logz shop", exitUsage, "Did you mean this? logs\n"},
		{"apps:creat", exitUsage, "Did you mean this? apps:create\n"},
		{"apps:nope", exitUsage, "Did you mean this? apps:config, apps:create, apps:destroy"},
		{"logs -a shop", exitFailed, `there is no app "shop"`},
		{"logs --app=shop --tail", exitFailed, `there is no app "shop"`},
		{"--app shop logs", exitFailed, `there is no app "shop"`},
		{"--app shop run bash", exitFailed, `there is no app "shop"`},
		{"config:set A=1 -a shop", exitFailed, `there is no app "shop"`},
		{"apps:rename store --app shop", exitFailed, `there is no app "shop"`},
		{"logs shop -a shop", exitUsage, "usage: gitd logs APP"},
		{"apps -a shop", exitUsage, "unknown shorthand flag"},
		{"releases:output shop", exitFailed, `there is no app "shop"`},
		{"releases:output", exitUsage, "usage: gitd logs APP"},
		{"help releases:output", exitOK, ""},
		{"apps:help", exitOK, ""},
		{"--version", exitOK, ""},
		{"apps --nope", exitUsage, "usage: gitd apps"},
		{"releases", exitUsage, "usage: gitd releases APP"},
		{"logs a b", exitUsage, "usage: gitd logs APP [-t] [-n N]"},
		{"logs a -n many", exitUsage, "usage: gitd logs"},
		{"keys:add", exitUsage, "usage: gitd keys:add NAME [--admin | --app APP --role ROLE]"},
		{"keys:add eve", exitFailed, "only an administrator"},
		{"halt", exitFailed, "only an administrator"},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			var out, msg bytes.Buffer
			c := command.Caller{Actor: core.Actor{Name: "sam"}, In: strings.NewReader(""), Out: &out, Err: &msg}
			code := Run(context.Background(), command.Services{Version: "v1"}, c, strings.Fields(tt.line))
			if code != tt.code || !strings.Contains(msg.String(), tt.says) {
				t.Errorf("exit %d, %q; want %d, %q", code, msg.String(), tt.code, tt.says)
			}
			if n := strings.Count(msg.String(), "usage: "); n > 1 || n == 1 != (tt.code == exitUsage && !strings.Contains(msg.String(), "there is no ")) {
				t.Errorf("says the usage %d times:\n%s", n, msg.String())
			}
			if tt.code == exitOK && msg.Len() > 0 {
				t.Errorf("says %q", msg.String())
			}
		})
	}
}

// TestEveryCommandExplainsItself: a command without words for `help` is not
// finished.
func TestEveryCommandExplainsItself(t *testing.T) {
	root := &cobra.Command{Use: "gitd"}
	AddCommands(root, command.Services{}, command.Caller{})
	for _, cmd := range root.Commands() {
		if cmd.Short == "" || cmd.Example == "" || cmd.Args == nil || (cmd.RunE == nil && cmd.Run == nil) {
			t.Errorf("%s lacks a description, an example, an argument check or its work", cmd.Name())
		}
	}
}

func TestSilentErrorsKeepTheirCode(t *testing.T) {
	root := &cobra.Command{Use: "gitd"}
	root.AddCommand(&cobra.Command{Use: "x", RunE: func(*cobra.Command, []string) error { return command.Silent(5) }})
	var msg bytes.Buffer
	if code := Execute(context.Background(), root, command.Caller{Out: &msg, Err: &msg}, []string{"x"}); code != 5 || msg.Len() > 0 {
		t.Errorf("exit %d, says %q", code, msg.String())
	}
}

// TestFullDisk: a command of people that met a full disk printed the ledger's raw error.
func TestFullDisk(t *testing.T) {
	err := fmt.Errorf("add a user: %w", &os.PathError{Op: "write", Path: "gitd.db-wal", Err: syscall.ENOSPC})
	if said := errorText(err); said != "the server's disk is full\n"+disk.FreeRoom {
		t.Errorf("it says %q", said)
	}
	if said := errorText(errors.New("no")); said != "no" {
		t.Errorf("another error: %q", said)
	}
}
