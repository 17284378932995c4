package repo

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// refLine is what a client says of one ref.
func refLine(n int, capabilities string) string {
	return pkt(fmt.Sprintf("%s %s refs/tags/v%d%s", zeros, objectA, n, capabilities))
}

func TestOpening(t *testing.T) {
	many := func(n int, capabilities string) string {
		var b strings.Builder
		b.WriteString(refLine(0, "\x00report-status "+capabilities))
		for i := 1; i < n; i++ {
			b.WriteString(refLine(i, ""))
		}
		return b.String() + "0000"
	}
	options := strings.Repeat(pkt(strings.Repeat("o", 1000)), 70) + "0000"
	tests := []struct {
		name, says string
		rest       string // follows, and is none of the opening's
		refused    string // a part of the reason; empty: receive-pack reads everything
		answer     string // how the client is told begins
	}{
		{name: "a push", says: many(1, "side-band-64k"), rest: "PACK…"},
		{name: "a shallow push", says: pkt("shallow "+objectA) + many(1, "side-band-64k"), rest: "PACK…"},
		{name: "options", says: many(1, "push-options") + pkt("ci.skip") + "0000", rest: "PACK…"},
		{name: "nothing", says: "0000"},
		{name: "the client has gone", says: ""},
		{name: "cut off", says: "00a0 half"},
		{name: "not git", says: "GET / HTTP/1.1\r\n", rest: "Host: x"},
		{name: "as many as there may be", says: many(core.MaxCommands, ""), rest: "PACK…"},
		{name: "too many", says: many(60_000, "side-band-64k"), rest: "PACK…",
			refused: "this push names 60000 refs, and gitd takes 10000 at most", answer: "007a\x010075ERR this push"},
		{name: "too many for an older client", says: many(60_000, ""), refused: "names 60000 refs", answer: "0075ERR this push"},
		{name: "too many options", says: many(1, "push-options side-band-64k") + options, refused: "too long", answer: "0057\x010052ERR"},
		{name: "names too long", says: strings.Repeat(pkt(strings.Repeat("r", 60_000)), 80) + "0000", refused: "too long", answer: "0052ERR"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := bufio.NewReader(strings.NewReader(tt.says + tt.rest))
			o := readOpening(in)
			reads, err := io.ReadAll(o.input(in))
			if err != nil {
				t.Fatal(err)
			}
			if tt.refused == "" {
				if got := o.refused(); got != nil || string(reads) != tt.says+tt.rest {
					t.Errorf("refused: %v; receive-pack reads %.100q", got, reads)
				}
				return
			}
			if got := o.refused(); got == nil || !strings.Contains(got.Error(), tt.refused) || string(reads) != "0000" {
				t.Errorf("refused: %v; receive-pack reads %.100q", got, reads)
			}
			var answer bytes.Buffer
			if err := o.refuse(&answer); err != nil || !strings.HasPrefix(answer.String(), tt.answer) {
				t.Errorf("the client is told %q, %v", answer.String(), err)
			}
		})
	}
}

// FuzzOpening: whatever a client says is given to receive-pack as it is, or nothing of it.
func FuzzOpening(f *testing.F) {
	f.Add([]byte(refLine(0, "\x00report-status push-options") + "0000" + pkt("x") + "0000PACK"))
	f.Add([]byte("0001"))
	f.Add([]byte("fff0"))
	f.Fuzz(func(t *testing.T, says []byte) {
		in := bufio.NewReader(bytes.NewReader(says))
		o := readOpening(in)
		reads, err := io.ReadAll(o.input(in))
		if err != nil {
			t.Fatal(err)
		}
		if o.refused() == nil && !bytes.Equal(reads, says) {
			t.Errorf("receive-pack reads %q of %q", reads, says)
		}
	})
}
