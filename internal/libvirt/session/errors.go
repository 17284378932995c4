package session

import (
	"errors"
	"strings"

	"libvirt.org/go/libvirt"
)

// plainError is an error of libvirt as people read it: its message, without
// the numbers that libvirt's own form puts around it.
type plainError struct{ cause libvirt.Error }

func (e plainError) Error() string { return "libvirt: " + strings.TrimSpace(e.cause.Message) }
func (e plainError) Unwrap() error { return e.cause }

// Plain makes an error from libvirt readable, and returns other errors as they are.
func Plain(err error) error {
	if e, ok := errors.AsType[libvirt.Error](err); ok {
		return plainError{e}
	}
	return err
}

// IsCode reports whether libvirt has said no with this code.
func IsCode(err error, code libvirt.ErrorNumber) bool {
	e, ok := errors.AsType[libvirt.Error](err)
	return ok && e.Code == code
}
