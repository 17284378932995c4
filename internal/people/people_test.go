package people_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/people"
)

// TestCodes: long enough, readable, usable as the user of an ssh line, and
// found however it is typed.
func TestCodes(t *testing.T) {
	form := regexp.MustCompile(`^([0-9a-hjkmnp-tv-z]{4}-){3}[0-9a-hjkmnp-tv-z]{4}$`)
	seen := map[string]bool{}
	for range 1000 {
		code := people.NewCode()
		if !form.MatchString(code) || seen[code] {
			t.Fatalf("code %q", code)
		}
		seen[code] = true
	}
	open := []people.Invitation{{Name: "ada", Hash: people.HashCode("0000-1111-abcd-efgh")}, {Name: "sam", Hash: people.HashCode("zzzz-zzzz-zzzz-zzzz")}}
	for _, typed := range []string{"0000-1111-abcd-efgh", "00001111ABCDEFGH", "oOo0-iIlL-abcd-efgh"} {
		if i, ok := people.FindInvitation(open, typed); !ok || i.Name != "ada" {
			t.Errorf("%q opens %+v", typed, i)
		}
	}
	for _, typed := range []string{"", "0000-1111-abcd-efgj", open[0].Hash, strings.Repeat("z", 17)} {
		if i, ok := people.FindInvitation(open, typed); ok {
			t.Errorf("%q opens %+v", typed, i)
		}
	}
}

func TestUserNames(t *testing.T) {
	for _, name := range []string{"ada", "ada@laptop", "Ada.L-2", "7"} {
		if err := people.CheckUserName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "-x", "a b", "../a", "a\n", "host", "gitd", "ä", strings.Repeat("a", 65)} {
		if people.CheckUserName(name) == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}
