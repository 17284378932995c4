package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestParseOrder(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
		err        string
	}{
		{"in order", "virtio.ko\nvirtio_blk.ko\n", []string{"virtio.ko", "virtio_blk.ko"}, ""},
		{"no newline at the end, blanks and comments", "# first\n\n  a.ko \nb.ko", []string{"a.ko", "b.ko"}, ""},
		{"empty", "", nil, ""},
		{"path", "../a.ko\n", nil, "no module's file name"},
		{"folder", "x/a.ko\n", nil, "no module's file name"},
		{"not a module", "order\n", nil, "no module's file name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseOrder(tt.text)
			if !slices.Equal(got, tt.want) || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestDiskBySerial(t *testing.T) {
	block := fstest.MapFS{
		"vda/serial":  {Data: []byte("base\n")},
		"vdb/serial":  {Data: []byte("app")},
		"vdc/size":    {Data: []byte("8")}, // has no serial
		"loop0/size":  {Data: []byte("0")},
		"sda/serial":  {Data: []byte("deps")}, // not a virtio disk
		"vdd/serial":  {Data: []byte("")},
		"vde/serialx": {Data: []byte("deps")},
	}
	for _, tt := range []struct{ serial, want string }{{"base", "vda"}, {"app", "vdb"}} {
		if got, err := diskBySerial(block, tt.serial); got != tt.want || err != nil {
			t.Errorf("disk %q: %q, %v; want %q", tt.serial, got, err, tt.want)
		}
	}
	_, err := diskBySerial(block, "deps")
	if !errors.Is(err, errNoDevice) || !strings.Contains(err.Error(), `["base" "app" ""]`) {
		t.Errorf("missing disk: %v", err)
	}
}

func TestResolver(t *testing.T) {
	got, err := resolver([]string{"10.0.2.3", "fe80::1"})
	if want := "nameserver 10.0.2.3\nnameserver fe80::1\n"; got != want || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := resolver([]string{"10.0.2.3\noptions x"}); err == nil {
		t.Error("a line break was taken for an address")
	}
}

func TestParseOOMKills(t *testing.T) {
	for text, want := range map[string]string{
		"nr_free_pages 1\noom_kill 3\nswap 0\n": "3",
		"oom_killer 9\n":                        "",
		"":                                      "",
	} {
		if got := parseOOMKills(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestCheckVolumePath(t *testing.T) {
	for p, ok := range map[string]bool{
		"/data": true, "/app/data": true, "/app/a/b": true, "/tmp/x": true, "/database": true, "/usrx": true,
		"": false, "/": false, "/app": false, "data": false, "/app/../etc": false, "/app/": false, "//data": false,
		"/proc": false, "/proc/1": false, "/sys": false, "/dev/shm": false, "/usr": false, "/usr/bin": false,
		"/etc": false, "/layers/app": false, "/run": false, "/lib64": false,
	} {
		if err := checkVolumePath(p); (err == nil) != ok {
			t.Errorf("%q: %v", p, err)
		}
	}
}
