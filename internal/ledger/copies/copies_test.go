package copies

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestCopiesAreBounded, and an old one goes only after its time.
func TestCopiesAreBounded(t *testing.T) {
	start := time.Date(2026, 3, 1, 0, 10, 0, 0, time.UTC)
	var all []Copy
	for i := range 24 * 40 * 4 { // every quarter of an hour, for 40 days
		c := Copy{Time: start.Add(time.Duration(i) * 15 * time.Minute)}
		c.Path = c.Time.Format(copyName)
		all = append([]Copy{c}, all...)
		rest := dispensable(all)
		all = slices.DeleteFunc(all, func(c Copy) bool { return slices.Contains(rest, c) })
		if len(all) > keptHours+keptDays+1 {
			t.Fatalf("%d copies", len(all))
		}
	}
	var names []string
	for _, c := range all {
		names = append(names, c.Time.Format("0102T1504"))
	}
	got := strings.Join(names, " ")
	for _, want := range []string{"0409T2355 0409T2310 0409T2210", "0409T0010 0408T0010", "0404T0010 0403T0010"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s does not have %s", got, want)
		}
	}
	if strings.Contains(got, "0402") {
		t.Errorf("%s has more than %d days", got, keptDays)
	}
}
