package running

import "testing"

func TestMachineOf(t *testing.T) {
	const qemu = "/usr/bin/qemu-system-x86_64\x00"
	for _, tt := range []struct{ name, cmdline, want string }{
		{"ours", qemu + "-name\x00guest=shop-v1-9f2c,debug-threads=on\x00-S\x00-kernel\x00/s/bases/1/kernel\x00", "shop-v1-9f2c"},
		{"without debug-threads", qemu + "-name\x00guest=shop-v1-9f2c\x00-kernel\x00/s/bases/1/kernel\x00", "shop-v1-9f2c"},
		{"another state folder's", qemu + "-name\x00guest=shop-v1-9f2c\x00-kernel\x00/s2/bases/1/kernel\x00", ""},
		{"a folder that ends alike", qemu + "-name\x00guest=shop-v1-9f2c\x00-kernel\x00/x/s/bases/1/kernel\x00", ""},
		{"without a kernel", qemu + "-name\x00guest=shop-v1-9f2c\x00-drive\x00/s/volumes/1\x00", ""},
		{"a name that is none of ours", qemu + "-name\x00guest=../../x\x00-kernel\x00/s/bases/1/kernel\x00", ""},
		{"an option without its value", qemu + "-kernel\x00", ""},
		{"an ended process", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := machineOf([]byte(tt.cmdline), "/s"); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
