package expose

import (
	"errors"
	"reflect"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// TestRead reads what is right, and refuses what cannot be meant.
func TestRead(t *testing.T) {
	for raw, want := range map[string]core.Expose{
		``:                    {},
		`{}`:                  {},
		`{"tcp": [5432]}`:     {TCP: []int{5432}},
		`{"http": true}`:      {},
		`{"internal":[6379]}`: {Internal: []int{6379}},
		`{"tcp":[5432,5433],"internal":[6379],"http":false}`: {TCP: []int{5432, 5433}, Internal: []int{6379}, NoHTTP: true},
	} {
		if got, warned, err := Read([]byte(raw)); err != nil || len(warned) > 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, %v", raw, got, warned, err)
		}
	}
	for _, raw := range []string{
		`5432`, `[5432]`, `null`, `{"tcp":5432}`, `{"tcp":["5432"]}`, `{"tcp":[80]}`, `{"tcp":[65536]}`, `{"tcp":[-1]}`, `{"tcp":[1.5]}`,
		`{"tcp":[5432,5432]}`, `{"tcp":[5432],"internal":[5432]}`, `{"http":"no"}`, `{"http":false}`, `{"udp":[53]}`,
		`{"tcp":[1024,1025,1026,1027,1028,1029,1030,1031,1032,1033,1034,1035,1036,1037,1038,1039,1040]}`,
	} {
		_, _, err := Read([]byte(raw))
		if r, is := errors.AsType[*core.Rejection](err); !is || r.Hint == "" {
			t.Errorf("%s: %v, want a rejection with a hint", raw, err)
		}
	}
	if _, warned, err := Read([]byte(`{"tpc":[5432]}`)); err != nil || len(warned) != 1 {
		t.Errorf("a key that is unknown: %v, %v", warned, err)
	}
}

// TestWeb: without HTTP, the first port is the one that gitd waits for.
func TestWeb(t *testing.T) {
	db := core.Expose{Internal: []int{5432, 5433}, NoHTTP: true}
	for _, c := range []struct {
		e          core.Expose
		port, want int
	}{{core.Expose{}, 0, 0}, {core.Expose{TCP: []int{5432}}, 3000, 3000}, {db, 0, 5432}, {db, 5433, 5433}} {
		if got, err := Web(c.e, c.port); got != c.want || err != nil {
			t.Errorf("%+v: %d, %v", c, got, err)
		}
	}
	if _, err := Web(db, 3000); err == nil {
		t.Error("a port that nobody reaches is taken")
	}
}
