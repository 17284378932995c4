package session

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>

// call calls a function of libvirt without arguments. It returns -2 if there is none of this name.
static int call(const char *name) {
	void *lib = dlopen("libvirt.so.0", RTLD_LAZY | RTLD_NOLOAD);
	if (!lib)
		return -2;
	int (*f)(void) = (int (*)(void))dlsym(lib, name);
	int got = f ? f() : -2;
	dlclose(lib);
	return got;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"libvirt.org/go/libvirt"
)

// Found returns when the embedded driver has found all machines again that an earlier process had. Opening a connection
// only begins that: threads of the driver ask each QEMU, one question after the other, for a second and more. If the
// driver ends meanwhile, such a thread waits for an answer for ever, with QEMU's monitor and channel in its hand, and
// QEMU listens to no other process.
func Found(l *Link) error {
	all, err := l.Conn.ListAllDomains(libvirt.CONNECT_LIST_DOMAINS_ACTIVE)
	for i := range all {
		// The question is only asked when the machine's thread has ended. One that ends meanwhile has no answer. The
		// linter cannot be told that by a comment: it looks for a file with C in it where Go compiled it first, in a
		// checkout that may be gone.
		_, _ = all[i].MemoryStats(1, 0)
		err = errors.Join(err, all[i].Free())
	}
	return err
}

// Release ends the embedded driver, as virtqemud does at its own end: it lets go of the machines, which go on, and of
// the lock of its folder, so that another process can have them. This process can have no embedded driver any more. All
// machines are Found and all connections are closed before.
//
// The functions are not of libvirt's public API, which has none for it: closing the last connection leaves the driver
// as it is, with its hand on each machine, until the process ends. The event loop ends before the driver does, as in
// virtqemud: the last reference to a connection may be one of a stream that the loop frees when it comes to it, and a
// connection that is freed after its driver takes the process down.
func Release() error {
	if err := states("virStateShutdownPrepare", "virStateShutdownWait"); err != nil {
		return err
	}
	if err := endEventLoop(); err != nil {
		return fmt.Errorf("libvirt's event loop: %w", err)
	}
	return states("virStateCleanup")
}

// states calls functions of libvirt's drivers, one after the other.
func states(names ...string) error {
	for _, name := range names {
		c := C.CString(name)
		got := C.call(c)
		C.free(unsafe.Pointer(c))
		if got != 0 {
			return fmt.Errorf("libvirt's %s: %d", name, int(got))
		}
	}
	return nil
}
