// Package monitor speaks to the QEMU of a machine, for what libvirt has no words for.
//
// It owns the form of commands and answers. It does not own what is said.
package monitor

import (
	"encoding/json"
	"fmt"
	"os"

	"libvirt.org/go/libvirt"
)

// Do runs one command of dom's monitor, and reads its answer into answer, unless that is nil.
func Do(dom *libvirt.Domain, answer any, name string, arguments any, files ...os.File) error {
	command := map[string]any{"execute": name}
	if arguments != nil {
		command["arguments"] = arguments
	}
	text, err := json.Marshal(command)
	if err != nil {
		return err
	}
	var said string
	if len(files) > 0 {
		said, _, err = dom.QemuMonitorCommandWithFiles(string(text), files, libvirt.DOMAIN_QEMU_MONITOR_COMMAND_DEFAULT)
	} else {
		said, err = dom.QemuMonitorCommand(string(text), libvirt.DOMAIN_QEMU_MONITOR_COMMAND_DEFAULT)
	}
	if err != nil {
		return fmt.Errorf("QEMU's monitor: %s: %w", name, err)
	}
	var reply struct {
		Return json.RawMessage `json:"return"`
		Error  *struct {
			Desc string `json:"desc"`
		} `json:"error"`
	}
	if err := json.Unmarshal([]byte(said), &reply); err != nil {
		return fmt.Errorf("QEMU's monitor: %s: %w", name, err)
	}
	if reply.Error != nil {
		return fmt.Errorf("QEMU: %s: %s", name, reply.Error.Desc)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(reply.Return, answer)
}
