package units

import (
	"fmt"
	"strings"
	"time"
)

// Bytes is a size as people read it: "64 MiB", "1.5 GiB".
func Bytes(n int64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	f, i := float64(n), 0
	for f >= 1024 && i < len(units)-1 {
		f /= 1024
		i++
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0") + " " + units[i]
}

// took prints a duration as people compare them: "4.1s", "35ms".
func Took(t time.Duration) string {
	if t < time.Second {
		return fmt.Sprintf("%dms", t.Milliseconds())
	}
	return fmt.Sprintf("%.1fs", t.Seconds())
}
