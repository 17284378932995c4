package main

import (
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestPathFlags: a flag with the path of a file was new, and a relative path led elsewhere once gitd had given up root:
// it then works in another folder.
func TestPathFlags(t *testing.T) {
	path := regexp.MustCompile(`^(file|folder)\b|\bbinary\b`)
	h := &host{}
	for _, cmd := range h.root().Commands() {
		if cmd.Flags().Lookup("user") == nil {
			continue
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if path.MatchString(f.Usage) && !slices.Contains(pathFlags, f.Name) {
				t.Errorf("%s: --%s is not in pathFlags (%s)", cmd.Name(), f.Name, f.Usage)
			}
		})
	}
}

// TestAgain: the second run gets what the first was told: paths in full, and what the environment says not as an
// argument, which every user of the host could read.
func TestAgain(t *testing.T) {
	t.Setenv("GITD_ADMIN_KEYS", "ssh-ed25519 AAAA ada")
	t.Setenv("GITD_GUEST_INIT", "init")
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	h := &host{in: nil, out: io.Discard, err: io.Discard}
	root := h.root()
	for _, name := range []string{"serve", "ledger:restore"} {
		cmd, _, err := root.Find([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		cmd.RunE = func(cmd *cobra.Command, _ []string) error {
			got = h.again(cmd)
			return nil
		}
	}
	for _, c := range []struct{ typed, want []string }{
		{
			[]string{"serve", "--state", "s", "--user", "sam", "--http", ":80", "--trusted-user-ca=ca.pub", "--require-lockfile"},
			[]string{"serve", "--state=" + here + "/s", "--guest-init=" + here + "/init", "--http=:80", "--require-lockfile=true", "--trusted-user-ca=" + here + "/ca.pub"},
		},
		{
			[]string{"ledger:restore", "--state", "/s", "--", "-copy"},
			[]string{"ledger:restore", "--state=/s", "--", "-copy"},
		},
	} {
		root.SetArgs(c.typed)
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q becomes %q", c.typed, got)
		}
	}
}
