package libvirt

import (
	"slices"
	"testing"
)

// TestCgroupMounts: on a host with control groups of version 1, each boot in Docker failed with "Failed to create v1
// controller cpu for group: Read-only file system". gitd had looked at the tmpfs around the controllers, which can be
// written to, and had not told libvirt to do without them.
func TestCgroupMounts(t *testing.T) {
	for name, tt := range map[string]struct {
		mounts string
		want   []string
	}{
		"version 1, in Docker": {
			"proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0\n" +
				"tmpfs /sys/fs/cgroup tmpfs rw,nosuid,nodev,noexec,relatime,mode=755 0 0\n" +
				"cgroup /sys/fs/cgroup/cpu cgroup ro,nosuid,nodev,noexec,relatime,cpu 0 0\n" +
				"cgroup /sys/fs/cgroup/systemd cgroup ro,nosuid,nodev,noexec,relatime,name=systemd 0 0\n",
			[]string{"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/systemd"},
		},
		"version 2": {
			"cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime 0 0\n" +
				"cgroup2 /srv/chroot/sys/fs/cgroup cgroup2 ro,relatime 0 0\n",
			[]string{"/sys/fs/cgroup"},
		},
		"none": {"proc /proc proc rw 0 0\n\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := cgroupMounts(tt.mounts); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
