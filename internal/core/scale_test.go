package core

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestScaleWith(t *testing.T) {
	steps := []StartStep{{Words: []Word{Plain("node")}}}
	m := Manifest{Base: "b", Run: steps, Types: []ProcessType{{"mail-queue", steps}, {"release", steps}, {"w-1", steps}}}
	for changes, want := range map[string]string{
		"":                          "web=1 mail-queue=2 w-1=1",
		"web=2":                     "web=2 mail-queue=2 w-1=1",
		"web+1 web+1":               "web=3 mail-queue=2 w-1=1",
		"mail-queue-1 web=0":        "web=0 mail-queue=1 w-1=1",
		"mail-queue=16":             "web=1 mail-queue=16 w-1=1",
		"w-1=3":                     "web=1 mail-queue=2 w-1=3",
		"w-1-1":                     "web=1 mail-queue=2 w-1=0",
		"release=1":                 "! release runs once",
		"web=17":                    "! from 0 to 16",
		"web-2":                     "! from 0 to 16",
		"mail-queue":                "! says no number",
		"=1":                        "! says no number",
		"web=":                      "! says no number",
		"web==1":                    "! says no number",
		"web=+1":                    "! says no number",
		"Web=1":                     "! says no number",
		"web=999999999999999999999": "! says no number",
		"\x1b[31m=1":                "! says no number",
		"clock=0":                   "! there is no process clock",
	} {
		before := Scale{"mail-queue": 2}
		next, err := before.With(m, strings.Fields(changes))
		got := next.Text(m)
		if r, ok := errors.AsType[*Rejection](err); ok {
			got = "! " + r.Reason
		}
		if !strings.HasPrefix(got, want) && (want[0] != '!' || !strings.Contains(got, want[2:])) || len(before) != 1 || strings.Contains(got, "\x1b") {
			t.Errorf("%q: %q, want %q", changes, got, want)
		}
	}
}

func TestFormation(t *testing.T) {
	steps := []StartStep{{Words: []Word{Plain("node")}}}
	m := Manifest{Start: []string{"node"}, Types: []ProcessType{{"a", steps}, {"release", steps}, {"worker", steps}}}
	text, err := json.Marshal(Scale{"web": 2, "worker": 0, "gone": 9}.Formation(m))
	if want := `["web.1","web.2","a.1"]`; err != nil || string(text) != want {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
	m.Start = nil
	if p, ok := m.VolumeHolder(); !ok || p.String() != "a.1" {
		t.Errorf("%v", p)
	}
	for text, want := range map[string]bool{"web.1": true, "mail-queue.12": true, "": true, "web": false, "web.0": false,
		"web.01": false, "web.-1": false, "Web.1": false, "web.1.1": false, "web.1\n": false} {
		var p ProcessID
		err := p.UnmarshalText([]byte(text))
		back, _ := p.MarshalText()
		if (err == nil) != want || err == nil && string(back) != text {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
}
