package guest

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// samples is one message of each kind.
func samples() []Message {
	return []Message{
		{Kind: KindHello},
		{Kind: KindStart, Start: &Start{
			Args: []string{"node", "server.js"}, Env: []string{"A=line\nbreak", "B=\"<&>\""}, Port: 8080, Hostname: "shop",
			Network:  Network{Address: "10.0.2.15/24", Gateway: "10.0.2.2", DNS: []string{"10.0.2.3"}},
			Mounts:   []Mount{{Serial: "vol-data", Path: "/app/data"}},
			UnixNano: 1,
		}},
		{Kind: KindStart, Start: &Start{Env: []string{"A=1"}, Port: 8080, Steps: []Step{
			{Name: "node a.js && x", Args: []string{"node", "a.js"}, Env: []string{"B=2"}, OK: 1, Fail: 2},
			{Name: "node $ARGS", Args: []string{"node"}, Dir: "server", OK: 2, Fail: 2},
		}}},
		{Kind: KindStop, Stop: &Stop{GraceMillis: 10000}},
		{Kind: KindBooted, Booted: &Booted{KernelMillis: 600, InitMillis: 700, Kernel: "6.1.0"}},
		{Kind: KindListening},
		{Kind: KindMisplaced, Misplaced: &Misplaced{Address: "127.0.0.1:3000"}},
		{Kind: KindExited, Exited: &Exited{Code: -1, Signal: "SIGKILL", Reason: "ended by SIGKILL", Restarts: 2}},
		{Kind: KindLog, Log: &Log{Stream: "stdout", Line: "hello \u2028 world", UnixNano: 5, Dropped: 3}},
		{Kind: KindFailed, Failed: "no disk"},
		{Kind: KindTime, Time: &Clock{UnixNano: 7}},
		{Kind: KindAck, Ack: &Ack{Seq: 1 << 63}},
		{Kind: KindBeat, Beat: &Clock{UnixNano: 8}},
		{Kind: KindListening, Listening: &Listening{StartMillis: 1, CodeMillis: 2, ListenMillis: 3}},
		{Kind: KindStats, Stats: &Stats{MemoryTotal: 1 << 27, Load: 0.5, OpenFiles: 20}},
		{Kind: KindStart, Start: &Start{Args: []string{"node"}, Task: &Task{Attached: true, Terminal: &Size{80, 24}, LimitMillis: 5}}},
		{Kind: KindInput, Input: &Input{Data: []byte("\x00\xff\n"), EOF: true}},
		{Kind: KindOutput, Output: &Output{Stream: "stderr", Data: bytes.Repeat([]byte{0xff}, MaxData)}},
		{Kind: KindRoom, Room: &Room{Bytes: DataRoom}},
		{Kind: KindSignal, Signal: &Signal{Number: 2}},
		{Kind: KindResize, Resize: &Size{Columns: 80, Rows: 24}},
	}
}

func TestRoundTrip(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	for _, m := range samples() {
		if err := w.Write(m); err != nil {
			t.Fatal(err)
		}
	}
	if n := bytes.Count(b.Bytes(), []byte("\n")); n != len(samples()) {
		t.Errorf("%d messages became %d lines", len(samples()), n)
	}
	r := NewReader(&b)
	for _, want := range samples() {
		got, err := r.Read()
		want.V = Version
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
	if _, err := r.Read(); !errors.Is(err, io.EOF) || r.Skipped != 0 {
		t.Errorf("at the end: %v, %d skipped", err, r.Skipped)
	}
}

// TestReaderSkips: a message is read, whatever stands before it.
func TestReaderSkips(t *testing.T) {
	const good = `{"v":1,"kind":"listening"}` + "\n"
	for _, tt := range []struct {
		name, text string
		skipped    int
	}{
		{"nothing", "", 0},
		{"empty lines", "\n\r\n", 2},
		{"half a message", `{"v":1,"kind":"lo` + "\n", 1},
		{"another version", `{"v":2,"kind":"listening"}` + "\n", 1},
		{"no version", `{"kind":"listening"}` + "\n", 1},
		{"no kind", `{"v":1}` + "\n", 1},
		{"not an object", "[1]\n\"x\"\nnull\n", 3},
		{"start without its part", `{"v":1,"kind":"start"}` + "\n", 1},
		{"stop without its part", `{"v":1,"kind":"stop","stop":null}` + "\n", 1},
		{"booted without its part", `{"v":1,"kind":"booted"}` + "\n", 1},
		{"exited without its part", `{"v":1,"kind":"exited"}` + "\n", 1},
		{"log without its part", `{"v":1,"kind":"log"}` + "\n", 1},
		{"time, ack, beat and stats without theirs", `{"v":1,"kind":"time"}` + "\n" + `{"v":1,"kind":"ack"}` + "\n" + `{"v":1,"kind":"beat"}` + "\n" + `{"v":1,"kind":"stats"}` + "\n", 4},
		{"input, output, room, signal and resize without theirs", `{"v":1,"kind":"input"}` + "\n" + `{"v":1,"kind":"output"}` + "\n" + `{"v":1,"kind":"room"}` + "\n" + `{"v":1,"kind":"signal"}` + "\n" + `{"v":1,"kind":"resize"}` + "\n", 5},
		{"binary", "\x00\xff\xfe\n", 1},
		{"a line that is too long", strings.Repeat("x", MaxMessage) + "\n", 1},
		{"a message that is too long", `{"v":1,"kind":"failed","failed":"` + strings.Repeat("x", MaxMessage) + `"}` + "\n", 1},
		{"much too long", strings.Repeat("x", 5*MaxMessage) + "\n", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewReader(strings.NewReader(tt.text + good))
			m, err := r.Read()
			if err != nil || m.Kind != KindListening || r.Skipped != tt.skipped {
				t.Errorf("got %.40v, %v, %d skipped; want %d", m, err, r.Skipped, tt.skipped)
			}
		})
	}
}

// TestReaderLimits: the longest message passes, one byte more does not.
func TestReaderLimits(t *testing.T) {
	empty, err := Encode(Message{Kind: KindFailed, Failed: "x"})
	if err != nil {
		t.Fatal(err)
	}
	longest := Message{Kind: KindFailed, Failed: strings.Repeat("x", MaxMessage-len(empty)+1)}
	b, err := Encode(longest)
	if err != nil || len(b) != MaxMessage {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	if m, err := NewReader(bytes.NewReader(b)).Read(); err != nil || m.Failed != longest.Failed {
		t.Errorf("the longest message is not read: %v", err)
	}
	longest.Failed += "x"
	if err := NewWriter(io.Discard).Write(longest); !errors.Is(err, ErrTooLong) {
		t.Errorf("one byte more: %v", err)
	}
}

// TestReaderKeepsTornMessage: a line without a newline at its end is no message.
func TestReaderKeepsTornMessage(t *testing.T) {
	r := NewReader(strings.NewReader(`{"v":1,"kind":"listening"}`))
	if m, err := r.Read(); !errors.Is(err, io.EOF) {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestUnknownKindPasses(t *testing.T) {
	m, err := NewReader(strings.NewReader(`{"v":1,"kind":"weather","temperature":3}` + "\n")).Read()
	if err != nil || m.Kind != "weather" {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestWriterIsWholeUnderConcurrency(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, m := range samples() {
				if err := w.Write(m); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	r := NewReader(&b)
	for range 8 * len(samples()) {
		if _, err := r.Read(); err != nil {
			t.Fatal(err)
		}
	}
	if r.Skipped != 0 {
		t.Errorf("%d messages were torn", r.Skipped)
	}
}

// FuzzReader: the reader survives any bytes, returns only complete messages, and what it returns can be encoded again.
func FuzzReader(f *testing.F) {
	for _, m := range samples() {
		b, err := Encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("\n{}\n{\"v\":1,\"kind\":\"log\",\"log\":{}}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(bytes.NewReader(b))
		for {
			m, err := r.Read()
			if err != nil {
				return
			}
			if m.V != Version || m.Kind == "" || !m.complete() {
				t.Fatalf("incomplete message %+v", m)
			}
			if _, err := Encode(m); err != nil && !errors.Is(err, ErrTooLong) {
				t.Fatalf("cannot be sent again: %v", err)
			}
		}
	})
}
