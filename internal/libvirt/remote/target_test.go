package remote

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// TestParse: what leads to this host is libvirt's alone, and another host is one of ssh.
func TestParse(t *testing.T) {
	for _, uri := range []string{
		"", "qemu:///system", "qemu:///embed?root=/x", "qemu+unix:///system?socket=/x", "test:///default", "qemu+tls://localhost/system",
		"qemu+tcp://127.0.0.1/system",
	} {
		if got, err := Parse(uri); got != nil || err != nil {
			t.Errorf("%q: %+v, %v", uri, got, err)
		}
	}
	for uri, want := range map[string][]string{
		"qemu+ssh://other/system":              {"other", "ssh"},
		"qemu+ssh://root@other:2222/system":    {"other", "ssh", "-p", "2222", "-l", "root"},
		"qemu+ssh://root@[2001:db8::1]/system": {"2001:db8::1", "ssh", "-l", "root"},
		"qemu+ssh://root@other/system?keyfile=/etc/gitd/key&command=/usr/local/bin/ssh&no_verify=0": {
			"other", "/usr/local/bin/ssh", "-i", "/etc/gitd/key", "-l", "root"},
	} {
		got, err := Parse(uri)
		if err != nil || !slices.Equal(append([]string{got.Host, got.program}, got.login...), want) || !strings.Contains(got.URI, "no_tty=1") {
			t.Errorf("%q: %+v, %v, want %q", uri, got, err, want)
		}
	}
}

// TestRefused: each way that does not lead to the machines' apps is refused with the reason, and with what to type.
func TestRefused(t *testing.T) {
	const instead = "--libvirt qemu+ssh://root@other/system"
	for uri, want := range map[string][2]string{
		"qemu+tls://other/system":                  {"TLS leads to libvirt alone", instead},
		"qemu://other/system":                      {"TLS leads to libvirt alone", instead},
		"qemu+tcp://other/system":                  {"TCP is neither encrypted", instead},
		"qemu+unix://other/system":                 {"a unix socket leads to a libvirt of this host", instead},
		"qemu+libssh2://root@other/system":         {"libssh2 has others", instead},
		"qemu+libssh://root@[2001:db8::1]/system":  {"libssh has others", "--libvirt qemu+ssh://root@[2001:db8::1]/system"},
		"qemu+ext://other/system":                  {`does not know the transport "ext"`, instead},
		"qemu+ssh://root@other/session":            {"is not the system's", instead},
		"qemu+ssh://other/embed":                   {"is not the system's", instead},
		"qemu+ssh://root@other/system?no_verify=1": {"no_verify would take any host for other", "leave it out"},
		"qemu+ssh://root@other/system?keyfile=key": {`the keyfile "key" is not a whole path`, "begin it with /"},
		"qemu+ssh://root@other:99999/system":       {`the port "99999" is none`, ""},
		"qemu+ssh://-oProxyCommand=x@other/system": {"would be an option of ssh", ""},
		"qemu+ssh://root@-oProxyCommand/system":    {"would be an option of ssh", ""},
		"qemu+ssh://%zz/system":                    {"cannot be read", "qemu+ssh://root@HOST/system"},
	} {
		got, err := Parse(uri)
		var no *core.Rejection
		if !errors.As(err, &no) || got != nil || !strings.Contains(no.Reason, want[0]) || !strings.Contains(no.Hint, want[1]) {
			t.Errorf("%q: %+v, %v, want %q", uri, got, err, want)
		}
	}
}

// TestSecretStaysOut: a password in a URI is not shown.
func TestSecretStaysOut(t *testing.T) {
	if _, err := Parse("qemu+tls://root:hunter2@other/system"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}

func TestFindUser(t *testing.T) {
	for text, want := range map[string][2]int{
		"root:x:0:0::/root:/bin/sh\nlibvirt-qemu:x:64055:106::/:/bin/false\n": {64055, 106},
		"libvirt-qemu:x:0:0::/:/bin/false":                                    {}, "libvirt-qemu:x:a:b": {}, "libvirt-qemu2:x:1:1": {}, "libvirt-qemu:x": {}, "": {},
	} {
		uid, gid, ok := findUser(text, qemuUser)
		if ok != (want[0] != 0) || ok && [2]int{uid, gid} != want {
			t.Errorf("%q: %d, %d, %t", text, uid, gid, ok)
		}
	}
}

// TestPath: each file of the state folder has a place there, and the path of a door fits into a socket's.
func TestPath(t *testing.T) {
	h := &Host{Config: Config{State: "/s"}, Root: parent + "/0123456789abcdef"}
	id := strings.Repeat("a", 63)
	door := h.Path("/s/machines/" + id + "/app")
	if len(door) > 107 || !strings.HasPrefix(door, h.Root+"/machines/") || !strings.HasSuffix(door, "/app") || door == h.Path("/s/machines/b/app") {
		t.Errorf("the door is at %s", door)
	}
	for here, want := range map[string]string{
		"/s/layers/x.erofs": h.Root + "/layers/x.erofs", "/s/bases/b/kernel": h.Root + "/bases/b/kernel",
		"/other/file": "/other/file", "/s2/layers/x": "/s2/layers/x",
	} {
		if got := h.Path(here); got != want {
			t.Errorf("%s is at %s, want %s", here, got, want)
		}
	}
}

// TestVolume: a machine with a volume, from a time when machines ran on this host, is refused before it is copied.
func TestVolume(t *testing.T) {
	h := &Host{target: &Target{Host: "other"}}
	err := h.Bring(t.Context(), core.MachineSpec{Disks: []core.Disk{{Path: "/s/volumes/x.ext4", Writable: true}}})
	var no *core.Rejection
	if !errors.As(err, &no) || !strings.Contains(no.Reason, "would run on other: volumes are on this host only") {
		t.Error(err)
	}
}
