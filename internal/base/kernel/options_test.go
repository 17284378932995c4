package kernel

import (
	"strings"
	"testing"
)

func TestCheckOptions(t *testing.T) {
	const asked = "# why\nCONFIG_NET=y\nCONFIG_NR_CPUS=16\nCONFIG_LOCALVERSION=\"-nodeos\"\n"
	for name, tt := range map[string]struct{ got, want string }{
		"as asked":      {"CONFIG_NET=y\nCONFIG_NR_CPUS=16\nCONFIG_LOCALVERSION=\"-nodeos\"\nCONFIG_INET_SELECTED=y\n", ""},
		"dropped":       {"# CONFIG_NET is not set\nCONFIG_NR_CPUS=16\nCONFIG_LOCALVERSION=\"-nodeos\"\n", "NET=y was dropped"},
		"changed":       {"CONFIG_NET=y\nCONFIG_NR_CPUS=8\nCONFIG_LOCALVERSION=\"-nodeos\"\n", "NR_CPUS=16 became 8"},
		"slipped in":    {asked + "CONFIG_MODULES=y\n", "MODULES must be off and is y"},
		"all are named": {"CONFIG_USER_NS=y\n", "LOCALVERSION=\"-nodeos\" was dropped, NET=y was dropped, NR_CPUS=16 was dropped, USER_NS must be off and is y"},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkOptions(asked, tt.got)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestOptionLists reads the lists as they are shipped: no option twice, none
// that must be off, and a comment that says why before each group.
func TestOptionLists(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		list, err := optionList(arch)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		explained := false
		for line := range strings.Lines(list) {
			line = strings.TrimSpace(line)
			switch {
			case line == "":
				explained = false
			case strings.HasPrefix(line, "#"):
				explained = true
			case seen[line]:
				t.Errorf("%s: %s stands there twice", arch, line)
			case !explained:
				t.Errorf("%s: nothing says why %s is there", arch, line)
			}
			seen[line] = !strings.HasPrefix(line, "#") && line != ""
		}
		got := settings(list)
		for _, name := range closed() {
			if _, ok := got[name]; ok {
				t.Errorf("%s asks for %s, which must be off", arch, name)
			}
		}
		if len(got) < 80 {
			t.Errorf("%s: only %d options", arch, len(got))
		}
	}
	if _, err := optionList("riscv64"); err == nil || !strings.Contains(err.Error(), "no kernel options for riscv64") {
		t.Errorf("an unknown architecture: %v", err)
	}
}
