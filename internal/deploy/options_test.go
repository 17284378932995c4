package deploy

import (
	"reflect"
	"testing"
)

// TestWishes: what may have been meant as a dry run is not taken for an option that means nothing: it would deploy.
func TestWishes(t *testing.T) {
	for _, tt := range []struct {
		options []string
		want    wishes
	}{
		{nil, wishes{}},
		{[]string{"json"}, wishes{objects: true}},
		{[]string{"JSON", "dry-run"}, wishes{objects: true, dry: true}},
		{[]string{"ci.skip", "a=b"}, wishes{ignored: []string{"ci.skip", "a=b"}}},
		{[]string{"dryrun"}, wishes{unclear: "dryrun"}},
		{[]string{"--dry-run"}, wishes{unclear: "--dry-run"}},
		{[]string{"dry_run=true"}, wishes{unclear: "dry_run=true"}},
		{[]string{"Dry"}, wishes{unclear: "Dry"}},
	} {
		if got := wishesOf(tt.options); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: %+v, want %+v", tt.options, got, tt.want)
		}
	}
}
