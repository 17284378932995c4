package core

import (
	"strings"
	"testing"
)

func TestCheckFits(t *testing.T) {
	host := Resources{MemoryMiB: 4096, CPUs: 2}
	for _, tt := range []struct {
		r, host Resources
		says    string // empty: it fits
	}{
		{Resources{}, host, ""},
		{Resources{MemoryMiB: 4096, CPUs: 2}, host, ""},
		{Resources{CPUs: 64}, host, "64 CPUs is more than the host has"},
		{Resources{MemoryMiB: 8192}, host, "8 GiB of memory is more than the host has"},
		{Resources{MemoryMiB: 8192, CPUs: 64}, Resources{}, ""},
		{Resources{CPUs: 64}, Resources{MemoryMiB: 4096}, ""},
	} {
		err := CheckFits(tt.r, tt.host)
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v on %+v: %v, want %q", tt.r, tt.host, err, tt.says)
		}
	}
}
