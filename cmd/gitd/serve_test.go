package main

import (
	"os"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/nodeos-dev/gitd/internal/ledger"
	"github.com/nodeos-dev/gitd/internal/people"
)

// TestReadmeListsEveryFlag: nobody finds a flag that the README does not name.
func TestReadmeListsEveryFlag(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	root := (&host{}).root()
	serve, _, err := root.Find([]string{"serve"})
	if err != nil {
		t.Fatal(err)
	}
	check := func(f *pflag.Flag) {
		if !strings.Contains(string(readme), "| `--"+f.Name+"` |") {
			t.Errorf("README.md does not list --%s (%s)", f.Name, f.Usage)
		}
	}
	serve.Flags().VisitAll(check)
	root.PersistentFlags().VisitAll(check)
}

func TestFlagsFromEnvironment(t *testing.T) {
	newFlags := func() (*pflag.FlagSet, *string, *int) {
		f := pflag.NewFlagSet("x", pflag.ContinueOnError)
		return f, f.String("boot-timeout", "1m", ""), f.Int("memory", 128, "")
	}
	t.Setenv("GITD_BOOT_TIMEOUT", "5s")
	f, s, _ := newFlags()
	if err := fromEnvironment(f); err != nil || *s != "5s" {
		t.Errorf("the variable is not used: %q, %v", *s, err)
	}
	f, s, _ = newFlags()
	if err := f.Parse([]string{"--boot-timeout=7s"}); err != nil {
		t.Fatal(err)
	}
	if err := fromEnvironment(f); err != nil || *s != "7s" {
		t.Errorf("a flag must outrank its variable: %q, %v", *s, err)
	}
	t.Setenv("GITD_MEMORY", "much")
	f, _, _ = newFlags()
	if err := fromEnvironment(f); err == nil || !strings.Contains(err.Error(), `GITD_MEMORY="much"`) {
		t.Errorf("a wrong variable is not named: %v", err)
	}
}

func TestRegisterAdmins(t *testing.T) {
	const ed = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJu1sBhUyk3qKDyxSTnVSiKjbqhBlF1NIQv1lWn5pUbO"
	for name, tt := range map[string]struct{ keys, want, err string }{
		"none":      {"", "", ""},
		"comments":  {"# ours\n\n" + ed + " ada@laptop\n", "ada@laptop", ""},
		"no name":   {ed, "admin1", ""},
		"not a key": {"hello", "", "GITD_ADMIN_KEYS, key 1"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := ledger.Open(t.Context(), t.TempDir()+"/gitd.db")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			err = (&peopleOptions{adminKeys: tt.keys}).registerAdmins(t.Context(), people.NewService(l), zerolog.Nop())
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			users, err := l.Users(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var admins []string
			for _, u := range users {
				if u.Admin {
					admins = append(admins, u.Name)
				}
			}
			if s := strings.Join(admins, " "); s != tt.want {
				t.Errorf("registered %q, want %q", s, tt.want)
			}
		})
	}
}
