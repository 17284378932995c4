package cli

import "testing"

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{
		"64M": 64 << 20, "1G": 1 << 30, "1g": 1 << 30, "1024G": 1 << 40, "9999999G": 9999999 << 30,
		"": 0, "1": 0, "0G": 0, "01G": 0, "-1G": 0, "+1G": 0, "1.5G": 0, "1GB": 0, "1 G": 0, "1T": 0, "1K": 0, "G": 0, "1e3M": 0,
		"99999999G": 0, "18446744073709551616M": 0, "1G\n": 0, "１G": 0,
	} {
		if got, err := parseSize(s); got != want || (err == nil) != (want > 0) {
			t.Errorf("parseSize(%q) = %d, %v; want %d", s, got, err, want)
		}
	}
}
