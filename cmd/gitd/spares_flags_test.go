package main

import (
	"testing"

	"github.com/spf13/pflag"
)

// TestSparesDefault: a machine waits unless somebody says otherwise; on another host none does, and who asks for one
// there is told so.
func TestSparesDefault(t *testing.T) {
	for _, c := range []struct {
		name    string
		args    []string
		there   bool
		want    int
		refused bool
	}{
		{"nothing typed", nil, false, 1, false},
		{"none", []string{"--spares=0"}, false, 0, false},
		{"another host", nil, true, 0, false},
		{"another host, none", []string{"--spares=0"}, true, 0, false},
		{"another host, asked for", []string{"--spares=1"}, true, 1, true},
	} {
		var o spareOptions
		f := pflag.NewFlagSet("serve", pflag.ContinueOnError)
		o.flags(f)
		if err := f.Parse(c.args); err != nil {
			t.Fatal(err)
		}
		if err := o.check(f); err != nil {
			t.Fatal(err)
		}
		if err := o.elsewhere(c.there); (err != nil) != c.refused || o.count != c.want {
			t.Errorf("%s: %d machines, %v", c.name, o.count, err)
		}
	}
}
