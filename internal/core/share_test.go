package core

import "testing"

func TestShareOf(t *testing.T) {
	def := Resources{MemoryMiB: 128, CPUs: 1}
	asked := Manifest{Resources: Resources{MemoryMiB: 96, CPUs: 2}}
	guessed := Manifest{Guess: Guess{MemoryMiB: 256, Package: "next"}}
	for name, tt := range map[string]struct {
		set  Resources
		app  App
		m    Manifest
		want Share
	}{
		"nothing is known":          {want: Share{def, MemoryByDefault}},
		"a command":                 {Resources{MemoryMiB: 64}, App{FoundMiB: 512}, asked, Share{Resources{64, 2}, MemoryByCommand}},
		"package.json":              {Resources{CPUs: 4}, App{FoundMiB: 512}, asked, Share{Resources{96, 4}, MemoryByPackage}},
		"found":                     {Resources{}, App{FoundMiB: 512}, guessed, Share{Resources{512, 1}, MemoryFound}},
		"a guess":                   {Resources{}, App{FoundMiB: 200}, guessed, Share{Resources{256, 1}, MemoryGuessed}},
		"the default is the most":   {Resources{}, App{FoundMiB: 128}, Manifest{Guess: Guess{MemoryMiB: 100}}, Share{def, MemoryByDefault}},
		"only the CPUs were chosen": {Resources{CPUs: 2}, App{}, Manifest{}, Share{Resources{128, 2}, MemoryByDefault}},
	} {
		if got := ShareOf(tt.set, tt.app, tt.m, def); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}
