package units

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes prints a size as people read it, in units of 1024: "64 MiB", "1.5 GiB".
func Bytes(n int64) string {
	names := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	f, i := float64(n), 0
	for math.Abs(f) >= 1023.95 && i < len(names)-1 { // which %.1f would print as 1024
		f /= 1024
		i++
	}
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0") + " " + names[i]
}

// maxDigits bounds the number of a size: with seven of them and the largest unit it fits into an int64.
const maxDigits = 7

// ParseBytes reads a size: a whole number from 1 to 9999999, without leading zeros, and M or G, which may be written
// out as MB, MiB, GB or GiB, in upper or lower case. All are units of 1024.
func ParseBytes(s string) (int64, error) {
	digits := 0
	for digits < len(s) && '0' <= s[digits] && s[digits] <= '9' {
		digits++
	}
	shift, ok := unitShift(s[digits:])
	if !ok || digits == 0 || digits > maxDigits || s[0] == '0' {
		return 0, fmt.Errorf("%.20q is no size: write a whole number and M or G, for example 500M or 1G", s)
	}
	n, err := strconv.ParseInt(s[:digits], 10, 64)
	return n << shift, err
}

// unitShift is the unit's power of two.
func unitShift(unit string) (shift int, ok bool) {
	switch strings.ToLower(unit) {
	case "m", "mb", "mib":
		return 20, true
	case "g", "gb", "gib":
		return 30, true
	}
	return 0, false
}
