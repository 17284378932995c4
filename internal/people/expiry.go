package people

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseExpiry reads the end of a key or an invitation: "12h", "30d", or a
// day, at whose end in UTC it is. Empty means never: the zero time.
func ParseExpiry(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, s); err == nil {
		return inFuture(day.AddDate(0, 0, 1), now)
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return inFuture(now.AddDate(0, 0, int(n)), now)
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return time.Time{}, fmt.Errorf("cannot read the time %q: use 12h, 30d or 2027-01-31", s)
	}
	return inFuture(now.Add(d), now)
}

func inFuture(t, now time.Time) (time.Time, error) {
	if !t.After(now) {
		return t, errors.New("that is in the past already")
	}
	return t, nil
}
