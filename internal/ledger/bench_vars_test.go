package ledger

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// BenchmarkVars is a full config: sealed and stored, then read and opened.
func BenchmarkVars(b *testing.B) {
	l := openAt(b, newPath(b))
	if _, err := l.CreateApp(b.Context(), "shop"); err != nil {
		b.Fatal(err)
	}
	vars := map[string]string{}
	for i := range 100 {
		vars[fmt.Sprintf("NAME_%d", i)] = strings.Repeat("x", core.MaxVars/100-20)
	}
	b.Run("set", func(b *testing.B) {
		for b.Loop() {
			if err := l.SetVars(b.Context(), "shop", core.VarChange{Set: vars}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			if got, err := l.Vars(b.Context(), "shop"); err != nil || len(got) != len(vars) {
				b.Fatal(len(got), err)
			}
		}
	})
}
