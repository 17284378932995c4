// Package libvirt runs machines as libvirt domains. It implements fleet.Driver.
//
// It owns the domain XML, the choice between KVM and emulation, the machine's end of the control channel (who is told
// what, and when a machine is gone), its port on the host, and STATE/machines/ID. It does not own what runs in the
// guest (nodeos-init, internal/guest), how an image is made (internal/builder), or which machines there should be
// (internal/fleet).
//
// gitd marks its machines with an element of its own in the domain's metadata. It never touches domains without this
// element, or with that of another owner.
package libvirt
