package libvirt

import "testing"

func TestDeviceLock(t *testing.T) {
	for socket, want := range map[string]string{
		"/var/lib/gitd/libvirt/c/00ff": "/var/lock/LCK.._var_lib_gitd_libvirt_c_00ff",
		"/dev/shm/gitd/libvirt/c/00ff": "/var/lock/LCK..shm_gitd_libvirt_c_00ff",
	} {
		if got := deviceLock(socket); got != want {
			t.Errorf("%s: %s, want %s", socket, got, want)
		}
	}
}
