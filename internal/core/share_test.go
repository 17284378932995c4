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
		"nothing is known":          {want: Share{Resources: def, From: SetByDefault}},
		"a command":                 {Resources{MemoryMiB: 64}, App{FoundMiB: 512}, asked, Share{Resources: Resources{64, 2}, From: SetByCommand}},
		"package.json":              {Resources{CPUs: 4}, App{FoundMiB: 512}, asked, Share{Resources: Resources{96, 4}, From: SetByPackage}},
		"found":                     {Resources{}, App{FoundMiB: 512}, guessed, Share{Resources: Resources{512, 1}, From: SetByTrying}},
		"a guess":                   {Resources{}, App{FoundMiB: 200}, guessed, Share{Resources: Resources{256, 1}, From: SetByGuess}},
		"the default is the most":   {Resources{}, App{FoundMiB: 128}, Manifest{Guess: Guess{MemoryMiB: 100}}, Share{Resources: def, From: SetByDefault}},
		"only the CPUs were chosen": {Resources{CPUs: 2}, App{}, Manifest{}, Share{Resources: Resources{128, 2}, From: SetByDefault}},
	} {
		got := ShareOf(tt.set, tt.app, tt.m, def)
		if (got.Because != "") != (got.From == SetByTrying || got.From == SetByGuess) {
			t.Errorf("%s: %s, because %q", name, got.From, got.Because)
		}
		if got.Resources != tt.want.Resources || got.From != tt.want.From {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}
