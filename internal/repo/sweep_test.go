package repo

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestKilledReceivePackLeavesNothing: what a killed receive-pack has left stays while another push of the app runs, and
// is removed when the last push ends. What was left when gitd itself was killed, locks included, is removed at the next
// start.
func TestKilledReceivePackLeavesNothing(t *testing.T) {
	r, state := newRepos(t)
	dir := state.Repo("shop")
	litter := func() []string {
		var found []string
		for _, p := range slices.Concat(unfinished, locks, []string{"refs/tags/*/*.lock"}) {
			list, err := filepath.Glob(filepath.Join(dir, p))
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, list...)
		}
		return found
	}
	drop := func(name string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	drop("objects/tmp_objdir-incoming-AbCdEf/pack/tmp_pack_1")
	other := make(chan struct{})
	done := r.gates.of("shop").push()
	in, end := io.Pipe()
	go func() {
		defer close(other)
		q, err := r.Quarantine("shop")
		if err != nil {
			t.Error(err)
			return
		}
		defer q.Drop()                                                                                            //nolint:errcheck // what is left is looked at
		r.Serve(Call{App: "shop", Service: ReceivePack, Quarantine: q, In: in, Out: io.Discard, Err: io.Discard}) //nolint:errcheck // its client is cut off
	}()
	end.Close()
	<-other
	if len(litter()) != 1 {
		t.Errorf("while another receive-pack runs, %v is there, want its objects", litter())
	}
	if err := done(); err != nil {
		t.Error(err)
	}
	if l := litter(); len(l) != 0 {
		t.Errorf("left over: %v", l)
	}

	drop("objects/tmp_objdir-incoming-GhIjKl/pack/tmp_pack_2")
	drop("refs/heads/main.lock")
	drop("refs/tags/a/b.lock")
	drop("config.lock")
	drop(".gitd.json123")
	again, err := Open(state, someWalls(t))
	if err != nil {
		t.Fatal(err)
	}
	if l := litter(); len(l) != 0 {
		t.Errorf("left over after a start: %v", l)
	}
	var out bytes.Buffer
	if code, err := again.Serve(Call{App: "shop", Service: UploadPack, In: bytes.NewReader(nil), Out: &out, Err: io.Discard}); err != nil || out.Len() == 0 {
		t.Errorf("git does not answer: %d, %v", code, err)
	}
}
