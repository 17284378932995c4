package ledgertest

import (
	"errors"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

func volumes(t *testing.T, s Store) {
	ctx := t.Context()
	got(s.CreateApp(ctx, "shop"))(t)
	got(s.CreateApp(ctx, "blog"))(t)
	at := instant(time.Now())
	volume := func(app, name, mount string) core.Volume {
		return core.Volume{ID: app + "-" + name, App: app, Name: name, Mount: mount, Size: 1 << 30, Created: at}
	}
	data, more, blogs := volume("shop", "data", "/data"), volume("shop", "a", "/app/more"), volume("blog", "data", "/data")
	for _, v := range []core.Volume{data, more, blogs} {
		must(t, s.AddVolume(ctx, v))
	}
	same(t, got(s.Volumes(ctx, "shop"))(t), []core.Volume{more, data})
	same(t, got(s.Volumes(ctx, ""))(t), []core.Volume{blogs, more, data})
	if list := got(s.Volumes(ctx, "nope"))(t); len(list) != 0 {
		t.Errorf("an unknown app has %v", list)
	}

	var rejected *core.Rejection
	for _, v := range []core.Volume{volume("shop", "data", "/app/x"), volume("shop", "b", "/data"), volume("shop", "b", "/app/more/x"), volume("shop", "b", "/etc")} {
		if err := s.AddVolume(ctx, v); !errors.As(err, &rejected) {
			t.Errorf("%s at %s: %v, want a rejection", v.Name, v.Mount, err)
		}
	}
	if err := s.AddVolume(ctx, volume("nope", "data", "/data")); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("an unknown app: %v, want ErrNotFound", err)
	}
	must(t, s.RemoveVolume(ctx, data.ID))
	if err := s.RemoveVolume(ctx, data.ID); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("removed twice: %v, want ErrNotFound", err)
	}
	same(t, got(s.Volumes(ctx, ""))(t), []core.Volume{blogs, more})
	must(t, s.AddVolume(ctx, data))
}
