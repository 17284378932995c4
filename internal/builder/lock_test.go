package builder

import (
	"errors"
	"testing"
)

// TestSettled: the lockfile that npm 10 made for a plain app of Nuxt lacked two packages ("Missing: cac@7.1.0 from lock
// file"), so npm ci refused what npm itself had just written. From that lockfile, npm makes a whole one.
func TestSettled(t *testing.T) {
	for _, c := range []struct {
		name string
		says []string
		want string
		runs int
	}{
		{"whole at once", []string{"a", "a"}, "a", 2},
		{"as with Nuxt", []string{"lacking", "whole", "whole"}, "whole", 3},
		{"never", []string{"a", "b", "c", "d"}, "c", 3},
		{"fails", []string{""}, "", 1},
		{"fails later", []string{"a", ""}, "", 2},
	} {
		runs := 0
		text, err := settled(func() ([]byte, error) {
			if runs++; c.says[runs-1] == "" {
				return nil, errors.New("npm failed")
			}
			return []byte(c.says[runs-1]), nil
		})
		if string(text) != c.want || runs != c.runs || (err != nil) != (c.want == "") {
			t.Errorf("%s: %q after %d runs, %v; want %q after %d", c.name, text, runs, err, c.want, c.runs)
		}
	}
}
