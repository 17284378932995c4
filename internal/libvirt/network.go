package libvirt

import (
	"fmt"

	"github.com/nodeos-dev/gitd/internal/jail"
)

// netdev is the value of QEMU's -netdev: its network card is wired to the process around it, which is a machine's only
// way out (package gateway).
func netdev() string {
	return fmt.Sprintf("stream,id=n0,server=off,addr.type=fd,addr.str=%d", jail.FramesFD)
}
