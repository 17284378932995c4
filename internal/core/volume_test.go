package core

import (
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/guest"
)

func TestCheckVolume(t *testing.T) {
	ok := Volume{App: "shop", Name: "data", Mount: "/data", Size: MinVolume}
	with := func(change func(v *Volume)) Volume {
		v := ok
		change(&v)
		return v
	}
	name := func(s string) Volume { return with(func(v *Volume) { v.Name = s }) }
	mount := func(s string) Volume { return with(func(v *Volume) { v.Mount = s }) }
	size := func(n int64) Volume { return with(func(v *Volume) { v.Size = n }) }
	many := make([]Volume, guest.MaxVolumes)
	for i := range many {
		many[i] = Volume{Name: strings.Repeat("x", i+1), Mount: "/app/v" + strings.Repeat("x", i)}
	}
	uploads := []Volume{{Name: "uploads", Mount: "/app/public/uploads"}}
	tests := []struct {
		v      Volume
		others []Volume
		want   string // in the rejection; empty: none
	}{
		{ok, nil, ""},
		{ok, uploads, ""},
		{name("a"), nil, ""},
		{name("abcdefghijklmnop"), nil, ""},
		{name("abcdefghijklmnopq"), nil, "no name"},
		{name(""), nil, "no name"},
		{name("../x"), nil, "no name"},
		{name("Data"), nil, "no name"},
		{name("1st"), nil, "no name"},
		{name("a-"), nil, "no name"},
		{size(MaxVolume), nil, ""},
		{size(MaxVolume + 1), nil, "1 TiB is out of range"},
		{size(MinVolume - 1), nil, "64 MiB is out of range"},
		{size(0), nil, "0 bytes is out of range"},
		{size(-1), nil, "out of range"},
		{mount("/app/uploads"), nil, ""},
		{mount("/app/a/b/c_d/e-f.g"), nil, ""},
		{mount(""), nil, "no path"},
		{mount("/"), nil, "no path"},
		{mount("data"), nil, "no path"},
		{mount("/data/"), nil, "no path"},
		{mount("//data"), nil, "no path"},
		{mount("/app/../etc"), nil, "no path"},
		{mount("/app/."), nil, "no path"},
		{mount("/app/a b"), nil, "no path"},
		{mount("/app/a\x00b"), nil, "no path"},
		{mount("/app/\u00fc"), nil, "no path"},
		{mount("/app/" + strings.Repeat("x", 300)), nil, "no path"},
		{mount("/app"), nil, "no place"},
		{mount("/data/x"), nil, "no place"},
		{mount("/database"), nil, "no place"},
		{mount("/etc"), nil, "no place"},
		{mount("/var/lib/x"), nil, "no place"},
		{mount("/app/node_modules"), nil, "dependencies"},
		{mount("/app/node_modules/x"), nil, "dependencies"},
		{mount("/app/node_modules_2"), nil, ""},
		{name("uploads"), uploads, "already, at /app/public/uploads"},
		{mount("/app/public/uploads"), uploads, "would hide"},
		{mount("/app/public"), uploads, "would hide"},
		{mount("/app/public/uploads/x"), uploads, "would hide"},
		{mount("/app/public/uploads2"), uploads, ""},
		{ok, many, "may have no more"},
	}
	for _, tt := range tests {
		err := CheckVolume(tt.v, tt.others)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q %d at %q: %v, want %q", tt.v.Name, tt.v.Size, tt.v.Mount, err, tt.want)
		}
	}
}
