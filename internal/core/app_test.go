package core

import (
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	for _, good := range []string{"a", "shop", "shop-2", "a1", strings.Repeat("a", 40)} {
		if err := CheckName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "-a", "a-", "1a", "Shop", "a.b", "a/b", "../a", "a b", "a\n", "ä", "--upload-pack=x", strings.Repeat("a", 41)} {
		if err := CheckName(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
