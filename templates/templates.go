// Package templates is the data that gitd carries in itself: the libvirt
// domain of a machine and the starter apps. It owns the files and no code.
package templates

import "embed"

// FS holds domain.xml.tmpl, apps/, the kernel options in kernel/, and the server of static sites in static/.
//
//go:embed domain.xml.tmpl all:apps kernel static
var FS embed.FS
