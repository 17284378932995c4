package cli_test

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli"
	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger"
	"github.com/nodeos-dev/gitd/internal/people"
)

// TestNamesAreNotRevealed tries every command that takes an app, as someone
// without a role, on an app that exists and on one that does not. A command
// that looks at more than the role before it answers either fails here or
// panics: it is given nothing but the ledger.
func TestNamesAreNotRevealed(t *testing.T) {
	l, err := ledger.Open(t.Context(), filepath.Join(t.TempDir(), "gitd.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.CreateApp(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	svc := command.Services{Ledger: l, People: people.NewService(l), Settings: l}
	answer := func(words []string) string {
		var out bytes.Buffer
		c := command.Caller{Actor: core.Actor{Name: "sam"}, In: strings.NewReader("A=1\n"), Out: &out, Err: &out}
		code := cli.Run(context.Background(), svc, c, words)
		if code == 0 {
			t.Errorf("%q is done", words)
		}
		return out.String()
	}
	tried := 0
	for _, cmd := range tree() {
		words, ok := example(cmd)
		if !ok {
			continue
		}
		tried++
		exists, missing := answer(put(words, "shop")), answer(put(words, "nope"))
		if !strings.Contains(exists, `there is no app "shop"`) || strings.ReplaceAll(exists, "shop", "nope") != missing {
			t.Errorf("%s\nanswers for an app that exists: %sand for one that does not: %s", words, exists, missing)
		}
	}
	if tried < 20 {
		t.Errorf("only %d commands were tried", tried)
	}
}

func tree() []*cobra.Command {
	root := &cobra.Command{Use: "gitd"}
	cli.AddCommands(root, command.Services{}, command.Caller{})
	return root.Commands()
}

// example is the first line that a command shows in its help, if it takes an
// app: its examples speak of shop. Commands for administrators answer before
// any name is looked at, and apps:create and apps:rename name what is new.
func example(cmd *cobra.Command) ([]string, bool) {
	if strings.HasPrefix(cmd.Name(), "users") || strings.HasPrefix(cmd.Name(), "keys") || cmd.Name() == "apps:create" {
		return nil, false
	}
	for line := range strings.SplitSeq(cmd.Example, "\n") {
		line, _, _ = strings.Cut(line, " <")
		line, _, _ = strings.Cut(line, " >")
		words := strings.Fields(line)
		if len(words) > 1 && words[0] == cmd.Name() && strings.Contains(line, "shop") {
			return words, true
		}
	}
	return nil, false
}

func put(words []string, app string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = w
		if w == "shop" {
			out[i] = app
		}
	}
	return out
}

// TestAllowedIsClear: who may see an app is told what is missing.
func TestAllowedIsClear(t *testing.T) {
	sam := core.Actor{Name: "sam", Grants: map[string]core.Role{"shop": core.RoleView}}
	err := command.Allowed(sam, "shop", core.RoleDeploy)
	if err == nil || !strings.Contains(err.Error(), "your role on shop is view; this needs deploy") ||
		!strings.Contains(err.Error(), "users:grant sam shop deploy") {
		t.Errorf("%v", err)
	}
	if err := command.Allowed(sam, "shop", core.RoleView); err != nil {
		t.Error(err)
	}
}

func TestDoor(t *testing.T) {
	for _, tt := range []struct {
		door         command.Door
		line, remote string
	}{
		{command.Door{Host: "h", Port: "2222"}, "ssh -p 2222 u@h", "ssh://nodeos@h:2222/shop"},
		{command.Door{Host: "h", Port: "22"}, "ssh u@h", "ssh://nodeos@h/shop"},
		{command.Door{Host: "::1", Port: "2222"}, "ssh -p 2222 u@::1", "ssh://nodeos@[::1]:2222/shop"},
		{command.Door{Host: "::1", Port: "22"}, "ssh u@::1", "ssh://nodeos@[::1]/shop"},
		{command.Door{}, "ssh -p PORT u@HOST", "ssh://nodeos@HOST:PORT/shop"},
	} {
		if got := tt.door.SSH("u"); got != tt.line {
			t.Errorf("%+v: %q", tt.door, got)
		}
		if got := tt.door.Remote("shop"); got != tt.remote {
			t.Errorf("%+v: %q", tt.door, got)
		}
	}
}

// TestLinesToType: a line that someone is to type leads to the door through
// which they came.
func TestLinesToType(t *testing.T) {
	for words, want := range map[string]string{
		"apps:create shop": "git push ssh://nodeos@door.example:2200/shop main",
		"overview":         "ask ssh for one: ssh -t -p 2200 nodeos@door.example;",
		"help overview":    "ssh -t -p 2200 nodeos@door.example\n",
	} {
		var out bytes.Buffer
		c := command.Caller{Actor: core.Host(), Out: &out, Err: &out, Door: command.Door{Host: "door.example", Port: "2200"}}
		cli.Run(t.Context(), command.Services{Core: maker{}}, c, strings.Fields(words))
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s: no %q in\n%s", words, want, out.String())
		}
	}
	for _, cmd := range tree() { // without a door, as on the host
		if strings.Contains(cmd.Example, "@HOST") {
			t.Errorf("%s shows a line that nobody can type: %s", cmd.Name(), cmd.Example)
		}
	}
}

// TestWhoSeesNoApp: those who may push are told how, and nobody else.
func TestWhoSeesNoApp(t *testing.T) {
	const invites, refers = "git push ssh://nodeos@door.example:2200/", "users:grant sam APP view"
	for name, tt := range map[string]struct {
		who   core.Actor
		want  string
		wrong string
	}{
		"an administrator": {core.Actor{Name: "sam", Admin: true}, invites + "APP main", "users:grant"},
		"no role":          {core.Actor{Name: "sam"}, refers, "git push"},
		"may view":         {core.Actor{Name: "sam", Grants: map[string]core.Role{"shop": core.RoleView}}, refers, "git push"},
		"may deploy":       {core.Actor{Name: "sam", Grants: map[string]core.Role{"blog": core.RoleView, "shop": core.RoleDeploy}}, invites + "shop main", "users:grant"},
		"a deploy key":     {core.Actor{Name: "sam", Admin: true, Limit: core.Limit{App: "shop", Role: core.RoleDeploy}}, invites + "shop main", "users:grant"},
		"a key that views": {core.Actor{Name: "sam", Admin: true, Limit: core.Limit{App: "shop", Role: core.RoleView}}, refers, "git push"},
	} {
		c := command.Caller{Actor: tt.who, Door: command.Door{Host: "door.example", Port: "2200"}}
		if got := cli.NoApps(c); !strings.Contains(got, tt.want) || strings.Contains(got, tt.wrong) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// maker is a core that makes every app.
type maker struct{ command.Core }

func (maker) CreateApp(context.Context, core.Actor, string) error { return nil }

// TestEventsOfOthers: the audit shows an app's entries to those who see it,
// and the others to administrators.
func TestEventsOfOthers(t *testing.T) {
	l, err := ledger.Open(t.Context(), filepath.Join(t.TempDir(), "gitd.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i, app := range []string{"shop", "blog", "", "shop"} {
		e := core.Entry{Time: time.Unix(int64(i), 0), App: app, Actor: "ada", Action: "test", Detail: "entry-of-" + app}
		if err := l.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	see := func(a core.Actor, words ...string) string {
		var out bytes.Buffer
		cli.Run(t.Context(), command.Services{Ledger: l, People: people.NewService(l)}, command.Caller{Actor: a, Out: &out, Err: &out}, append([]string{"events"}, words...))
		return out.String()
	}
	sam := core.Actor{Name: "sam", Grants: map[string]core.Role{"shop": core.RoleView}}
	if got := see(sam); strings.Count(got, "entry-of-shop") != 2 || strings.Count(got, "entry-of") != 2 {
		t.Errorf("sam sees\n%s", got)
	}
	if got := see(sam, "-n", "1"); strings.Count(got, "entry-of-shop") != 1 {
		t.Errorf("sam sees one:\n%s", got)
	}
	if got := see(sam, "blog"); !strings.Contains(got, `there is no app "blog"`) {
		t.Errorf("sam sees of blog\n%s", got)
	}
	if got := see(core.Host(), "--json"); strings.Count(got, "entry-of") != 4 {
		t.Errorf("the host sees\n%s", got)
	}
}
