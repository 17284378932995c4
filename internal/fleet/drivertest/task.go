package drivertest

import (
	"bytes"
	"context"
	"math/rand/v2"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
)

// taskBytes is more than may be on its way, so that each side has to wait for room.
const taskBytes = 3 * guest.DataRoom

// task checks that an attached task gets and gives every byte, that neither side sends what the other has no room for,
// and that its exit code arrives, after which the machine ends by itself.
func (s *suite) task() {
	spec := s.asTask(Cat)
	w := newWatcher(s.T)
	s.boot(spec, w)
	in := make([]byte, taskBytes)
	random := rand.NewChaCha8([32]byte{})
	random.Read(in) //nolint:errcheck // it cannot fail
	go s.feed(spec.ID, w, in)
	out, unread := map[string][]byte{}, 0
	for e := range w.events(core.EventOutput, core.EventExited) {
		if e.Kind == core.EventExited {
			if e.Code != 4 || e.Signal != "" {
				s.Errorf("ended with code %d, signal %q: %s", e.Code, e.Signal, e.Detail)
			}
			break
		}
		out[e.Stream] = append(out[e.Stream], e.Data...)
		if unread += len(e.Data); unread > guest.DataRoom {
			s.Fatalf("%d bytes came at once, and there is room for %d", unread, guest.DataRoom)
		}
		if unread > guest.DataRoom/2 || len(out["stdout"]) == len(in) {
			s.tell(spec.ID, core.Tell{Room: unread})
			unread = 0
		}
	}
	if !bytes.Equal(out["stdout"], in) || !strings.Contains(string(out["stderr"]), LastWords) {
		s.Errorf("%d bytes went in, %d other ones came out, and on stderr %q", len(in), len(out["stdout"]), out["stderr"])
	}
	w.await(core.EventGone)
}

// feed sends in as input, as far as there is room.
func (s *suite) feed(id string, w *watcher, in []byte) {
	for e := range w.events(core.EventRoom, core.EventGone) {
		if e.Kind == core.EventGone {
			return
		}
		for room := e.Bytes; room > 0 && len(in) > 0; {
			n := min(room, len(in), guest.MaxData)
			s.tell(id, core.Tell{Input: in[:n], EOF: n == len(in)})
			in, room = in[n:], room-n
		}
	}
}

// taskSignal checks that a task is told of a signal, and how its end by it is reported.
func (s *suite) taskSignal() {
	spec := s.asTask(Cat)
	w := newWatcher(s.T)
	s.boot(spec, w)
	w.await(core.EventRoom) // it runs
	const terminate = 15
	s.tell(spec.ID, core.Tell{Room: len(LastWords), Signal: terminate})
	if e := w.await(core.EventExited); e.Signal != "SIGTERM" || e.Code != -1 {
		s.Errorf("ended with code %d, signal %q: %s", e.Code, e.Signal, e.Detail)
	}
	w.await(core.EventGone)
}

// asTask is a spec of an attached task, to which nobody connects.
func (s *suite) asTask(mode string) core.MachineSpec {
	spec := s.mode(mode)
	spec.Task, spec.Port = &core.Task{Attached: true}, 0
	return spec
}

func (s *suite) tell(id string, t core.Tell) {
	s.Helper()
	if err := s.driver.Tell(context.WithoutCancel(s.Context()), id, t); err != nil {
		s.Errorf("Tell: %v", err)
	}
}
