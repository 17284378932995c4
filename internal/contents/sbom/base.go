package sbom

import (
	"fmt"
	"regexp"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"github.com/nodeos-dev/gitd/internal/contents"
	"github.com/nodeos-dev/gitd/internal/guest"
)

// base is what an app stands on: Node, the kernel, init, and the libraries, by Debian's packages where they are known.
func (in Input) base() []cdx.Component {
	list := []cdx.Component{in.kernel()}
	at := map[string]int{} // by Debian's name
	for _, f := range in.Base.Files {
		switch {
		case f.Path == guest.Node:
			list = append(list, in.node(f))
		case f.Path == "/sbin/init":
			list = append(list, file("nodeos-init", f))
		case f.Package != "":
			if i, ok := at[f.Package]; ok {
				o := list[i].Evidence.Occurrences
				*o = append(*o, cdx.EvidenceOccurrence{Location: f.Path})
				continue
			}
			at[f.Package] = len(list)
			list = append(list, debian(f))
		case strings.HasPrefix(f.Origin, "host:"):
			list = append(list, file(strings.TrimPrefix(f.Path, "/"), f))
		}
	}
	for _, p := range in.Release.Manifest.Packages {
		if _, ok := at[p.Name]; ok {
			continue // parts of a package that the base has too
		}
		f := contents.BaseFile{Package: p.Name, Version: p.Version}
		c := debian(f)
		c.Evidence = nil
		if p.SHA256 != "" {
			c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: p.SHA256}}
		}
		list = append(list, c)
	}
	return list
}

// linux finds the version in what a base says of its kernel: "minimal kernel 6.1.172-nodeos (…)", "stock kernel
// 6.1.192-2".
var linux = regexp.MustCompile(`^(minimal|stock) kernel ((\d+\.\d+(?:\.\d+)?)\S*)`)

func (in Input) kernel() cdx.Component {
	c := cdx.Component{BOMRef: "kernel", Type: cdx.ComponentTypeOS, Name: "linux", Description: in.Base.Kernel}
	if m := linux.FindStringSubmatch(in.Base.Kernel); m != nil {
		c.Version, c.PackageURL = m[2], "pkg:generic/linux@"+escape(m[3])
		c.CPE = fmt.Sprintf("cpe:2.3:o:linux:linux_kernel:%s:*:*:*:*:*:*:*", m[3])
		if m[1] == "stock" {
			c.PackageURL = "pkg:deb/debian/linux@" + escape(m[2]) + "?arch=source"
		}
	}
	c.Licenses = licences("GPL-2.0-only WITH Linux-syscall-note")
	if l, ok := in.Base.Images["kernel"]; ok {
		c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: l.Digest}}
	}
	return c
}

func (in Input) node(f contents.BaseFile) cdx.Component {
	v := in.Release.Manifest.Node
	c := file("node", f)
	c.Type, c.Version, c.PackageURL = cdx.ComponentTypePlatform, v, "pkg:generic/node@"+escape(v)
	c.CPE = fmt.Sprintf("cpe:2.3:a:nodejs:node.js:%s:*:*:*:*:*:*:*", v)
	c.Licenses = licences("MIT")
	return c
}

func debian(f contents.BaseFile) cdx.Component {
	c := file(f.Package, f)
	c.Type, c.Version, c.Hashes = cdx.ComponentTypeLibrary, f.Version, nil
	c.PackageURL = "pkg:deb/debian/" + escape(f.Package) + "@" + escape(f.Version)
	c.BOMRef = c.PackageURL
	return c
}

// file is a component of one file.
func file(name string, f contents.BaseFile) cdx.Component {
	c := cdx.Component{
		BOMRef: "base:" + f.Path, Type: cdx.ComponentTypeFile, Name: name,
		Evidence: &cdx.Evidence{Occurrences: &[]cdx.EvidenceOccurrence{{Location: f.Path}}},
	}
	if f.SHA256 != "" {
		c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: f.SHA256}}
	}
	return c
}
