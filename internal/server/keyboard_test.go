package server

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestCooked(t *testing.T) {
	for _, tt := range []struct{ typed, read string }{
		{"", ""},
		{"one\rtwo\r\x04three", "one\ntwo\n"},
		{"\x04", ""},
		{"until the connection ends", "until the connection ends"},
	} {
		for name, keys := range map[string]io.Reader{
			"at once": strings.NewReader(tt.typed), "key by key": iotest.OneByteReader(strings.NewReader(tt.typed)),
		} {
			in := cooked(keys, func() { t.Error("interrupted") })
			got, err := io.ReadAll(in)
			if err != nil || string(got) != tt.read {
				t.Errorf("%q %s: %q, %v", tt.typed, name, got, err)
			}
		}
	}
}

// TestInterrupt: ^C ends a command that reads nothing, whatever was typed
// before.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cooked(strings.NewReader(strings.Repeat("not read ", 10*maxTyped*1024)+"\x03"), cancel)
	<-ctx.Done()
}
