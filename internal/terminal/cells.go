package terminal

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
)

// OrDash is s; a dash stands for nothing.
func OrDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// Version is the name of a release: "v12". 0 is none.
func Version(v int) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("v%d", v)
}

// Ago is how long ago t was, or how far away it is: "2 hours ago".
func Ago(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return humanize.Time(t)
}
