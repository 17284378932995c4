// Package templates is the data that gitd carries in itself: the libvirt
// domain of a machine and the starter apps. It owns the files and no code.
package templates

import "embed"

// FS holds domain.xml.tmpl, apps/ and the kernel options in kernel/.
//
//go:embed domain.xml.tmpl all:apps kernel
var FS embed.FS
