package session

import (
	"errors"
	"fmt"
	"testing"

	"libvirt.org/go/libvirt"
)

func TestPlain(t *testing.T) {
	vir := libvirt.Error{Code: libvirt.ERR_INTERNAL_ERROR, Domain: libvirt.FROM_QEMU, Message: "internal error: no memory\n"}
	err := Plain(fmt.Errorf("create: %w", vir))
	if err.Error() != "libvirt: internal error: no memory" || !errors.Is(err, vir) {
		t.Errorf("%q", err)
	}
	other := errors.New("disk full")
	if Plain(other) != other { //nolint:errorlint // the very same
		t.Error("an error of somebody else is changed")
	}
}
