package units

import (
	"math"
	"strconv"
	"strings"
	"testing"
)

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 bytes", 1023: "1023 bytes", 1024: "1 KiB", 1536 << 20: "1.5 GiB", 1 << 30: "1 GiB", 1 << 50: "1024 TiB",
		-5: "-5 bytes", -128 << 20: "-128 MiB", math.MinInt64: "-8388608 TiB", 5000: "4.9 KiB", 128 << 20: "128 MiB", 1000 << 20: "1000 MiB", 1<<20 - 1: "1 MiB",
		1<<20 - 103: "1023.9 KiB", 1<<40 - 1: "1 TiB", math.MaxInt64: "8388608 TiB",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

func TestParseBytes(t *testing.T) {
	for s, want := range map[string]int64{
		"64M": 64 << 20, "1G": 1 << 30, "1g": 1 << 30, "1024G": 1 << 40, "9999999G": 9999999 << 30,
		"256MiB": 256 << 20, "1GB": 1 << 30, "1gib": 1 << 30, "3mb": 3 << 20, "0064M": 0,
		"": 0, "1": 0, "0G": 0, "01G": 0, "-1G": 0, "+1G": 0, "1.5G": 0, "1 G": 0, "1T": 0, "1K": 0, "G": 0, "1e3M": 0,
		"99999999G": 0, "18446744073709551616M": 0, "1G\n": 0, "１G": 0, "1MiBB": 0, "1Mi": 0, "1ＧB": 0, "M1": 0, "1M1": 0,
	} {
		if got, err := ParseBytes(s); got != want || (err == nil) != (want > 0) {
			t.Errorf("ParseBytes(%q) = %d, %v; want %d", s, got, err, want)
		}
	}
	_, err := ParseBytes(strings.Repeat("x", 1000))
	if err == nil || len(err.Error()) > 120 || !strings.Contains(err.Error(), "for example 500M or 1G") {
		t.Errorf("the error is %v", err)
	}
}

// FuzzParseBytes: whatever is accepted is a number of MiB within the bounds, is read again as the same from its
// shortest form, and in upper and lower case alike.
func FuzzParseBytes(f *testing.F) {
	for _, s := range []string{"64M", "1gib", "9999999G", "0M", "1.5G", "-1G", "1İ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseBytes(s)
		if err != nil {
			if n != 0 {
				t.Errorf("%q is %d and an error", s, n)
			}
			return
		}
		if n < 1<<20 || n > 9999999<<30 || n%(1<<20) != 0 {
			t.Errorf("%q is %d", s, n)
		}
		again := []string{strings.ToUpper(s), strings.ToLower(s)}
		if mib := n >> 20; mib <= 9999999 {
			again = append(again, strconv.FormatInt(mib, 10)+"M")
		}
		for _, a := range again {
			if got, err := ParseBytes(a); err != nil || got != n {
				t.Errorf("%q is %d, and %q %d, %v", s, n, a, got, err)
			}
		}
	})
}
