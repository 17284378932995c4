package units

import (
	"fmt"
	"time"
)

// Took prints a duration as people compare them: "4.1s", "35ms".
func Took(t time.Duration) string {
	if t < time.Second {
		return fmt.Sprintf("%dms", t.Milliseconds())
	}
	return fmt.Sprintf("%.1fs", t.Seconds())
}
