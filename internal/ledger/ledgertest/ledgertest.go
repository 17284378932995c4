// Package ledgertest is the conformance suite of the ledger. Whatever implements Store, the real ledger or a fake,
// passes Run.
//
// It owns what the contract says. It does not own what only a ledger on disk can be asked: crashes, damage, upgrades.
package ledgertest

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Run runs the suite. open gives each test an empty store and closes it with
// t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) Store) {
	tests := []struct {
		name string
		run  func(t *testing.T, s Store)
	}{
		{"apps", apps},
		{"bad app names", badNames},
		{"releases", releases},
		{"a release comes back whole", wholeRelease},
		{"save", save},
		{"only a promotion makes live", onlyPromotion},
		{"steps of a release", steps},
		{"history of a release", history},
		{"change of an app", changeApp},
		{"rename", rename},
		{"delete", remove},
		{"delete what is bare", removeBare},
		{"promote", promote},
		{"a failed promotion changes nothing", failedPromotion},
		{"image", image},
		{"images", images},
		{"forgotten images", forgotten},
		{"pin", pin},
		{"unfinished", unfinished},
		{"what is not there", missing},
		{"machines", machines},
		{"audit", audit},
		{"tools", tools},
		{"updates of bases", bases},
		{"keys", keys},
		{"a key has one owner", oneOwner},
		{"a key that expires", expires},
		{"a deploy key", deployKey},
		{"users", users},
		{"roles", roles},
		{"the last administrator", lastAdmin},
		{"people and their audit", peopleAudit},
		{"an invitation", invitation},
		{"a void invitation", voidInvitation},
		{"a claim", claim},
		{"one code, many hands", manyHands},
		{"config", vars},
		{"config that is refused", refusedVars},
		{"config that builds see", buildMarks},
		{"resources", resources},
		{"quotas", quotas},
		{"owners under concurrency", concurrentOwners},
		{"networks", networks},
		{"rules", ruleSets},
		{"ports of the host", hostPorts},
		{"links", links},
		{"domains", domains},
		{"volumes", volumes},
		{"an ended context", endedContext},
		{"versions under concurrency", concurrentVersions},
		{"promotions under concurrency", concurrentPromotions},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, open(t)) })
	}
}

// Commit makes a full object name of one repeated hex digit.
func Commit(digit string) string { return strings.Repeat(digit, 40) }

// Draft is a release that was just asked for.
func Draft(app, commit string) core.Release {
	return core.Release{
		App: app, Commit: commit, Subject: "change things", Pusher: "alice",
		Trigger: core.ByPush, State: core.Building, Created: time.Now(),
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func got[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// same compares values that hold times: an instant is the same in any zone
// and without a monotonic reading.
func same(t *testing.T, have, want any) {
	t.Helper()
	if !reflect.DeepEqual(have, want) {
		t.Errorf("\nhave %+v\nwant %+v", have, want)
	}
}

// instant is what a store makes of a time: UTC, wall clock only.
func instant(at time.Time) time.Time { return at.UTC().Round(0) }
