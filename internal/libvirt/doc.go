// Package libvirt runs machines as libvirt domains.
//
// It owns the domain XML, the choice between KVM and emulation, the machine's
// end of the control channel (who is told what, and when a machine is gone),
// its port on the host, and STATE/machines/ID. It does not own what runs in
// the guest (nodeos-init, internal/guest), how an image is made, or which
// machines there should be: that is internal/deploy.
//
// Machines are marked as ours by an element of our own in the domain's
// metadata. Domains without it, or with another owner's, are never touched.
package libvirt
