package session

import (
	"errors"
	"strings"
	"testing"

	"libvirt.org/go/libvirt"
)

func TestConnectHint(t *testing.T) {
	embed := "qemu:///embed?root=/s"
	for _, tt := range []struct {
		uri  string
		err  error
		want string
	}{
		{embed, libvirt.Error{Code: libvirt.ERR_SYSTEM_ERROR, Message: "Failed to acquire pid file '/s/run/driver.pid'"}, "another gitd"},
		{embed, libvirt.Error{Code: libvirt.ERR_NO_CONNECT, Message: "no connection driver available"}, "libvirt-daemon-driver-qemu"},
		{embed, libvirt.Error{Code: libvirt.ERR_INTERNAL_ERROR}, ""},
		{"qemu:///system", libvirt.Error{Code: libvirt.ERR_SYSTEM_ERROR}, "does that libvirt run"},
		{embed, errors.New("dlopen: no such file"), "is libvirt installed"},
	} {
		got := connectHint(tt.uri, tt.err)
		if !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("%s, %v: %q", tt.uri, tt.err, got)
		}
	}
}
