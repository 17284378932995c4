package main

import (
	"debug/buildinfo"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"github.com/nodeos-dev/gitd/internal/base/kernel"
)

// billOf writes the bill of materials of a package beside it, in CycloneDX's JSON: every Go module that the linker put
// into the programs, or the kernel. What the package depends on is Debian's, and its control file names it.
func (p job) billOf(name string) error {
	parts, err := p.modules()
	if name == "gitd-kernel" {
		parts, err = p.linux()
	}
	if err != nil {
		return err
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{
		Timestamp: p.epoch.Format("2006-01-02T15:04:05Z"),
		Component: &cdx.Component{
			BOMRef: name, Type: cdx.ComponentTypeApplication, Name: name, Version: p.version,
			PackageURL: "pkg:deb/gitd/" + name + "@" + strings.ReplaceAll(p.version, "+", "%2B") + "?arch=" + p.arch,
		},
	}
	bom.Components = &parts
	refs := []string{}
	for _, c := range parts {
		refs = append(refs, c.BOMRef)
	}
	bom.Dependencies = &[]cdx.Dependency{{Ref: name, Dependencies: &refs}}
	f, err := os.Create(filepath.Join(p.out, name+"_"+p.version+"_"+p.arch+".cdx.json"))
	if err != nil {
		return err
	}
	defer f.Close()
	return cdx.NewBOMEncoder(f, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false).Encode(bom)
}

// goItself is the standard library and the runtime, which are in every program.
var goItself = debug.Module{Path: "std"}

// modules are those in the programs, by name, with Go itself.
func (p job) modules() (list []cdx.Component, err error) {
	seen := map[string]bool{}
	for _, program := range []string{"gitd", "nodeos-init", "gitd-machine", "gitd-hook"} {
		info, err := buildinfo.ReadFile(filepath.Join(p.stage, program))
		if err != nil {
			return nil, err
		}
		for _, m := range append(info.Deps, &goItself) {
			version := m.Version
			if m == &goItself {
				version = strings.TrimPrefix(info.GoVersion, "go")
			}
			if m.Replace != nil {
				m, version = m.Replace, m.Replace.Version
			}
			url := "pkg:golang/" + m.Path + "@" + version
			if !seen[url] {
				seen[url] = true
				list = append(list, cdx.Component{BOMRef: url, Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: version, PackageURL: url})
			}
		}
	}
	slices.SortFunc(list, func(a, b cdx.Component) int { return strings.Compare(a.BOMRef, b.BOMRef) })
	return list, nil
}

// linux is the kernel.
func (p job) linux() ([]cdx.Component, error) {
	text, err := os.ReadFile(filepath.Join(p.stage, "minimal-kernel", "kernel.json"))
	if err != nil {
		return nil, err
	}
	var k kernel.Kernel
	if err := json.Unmarshal(text, &k); err != nil {
		return nil, err
	}
	version, _, _ := strings.Cut(k.Release, "-")
	return []cdx.Component{{
		BOMRef: "linux", Type: cdx.ComponentTypeOS, Name: "linux", Version: k.Release, Description: k.Compiler,
		PackageURL: "pkg:generic/linux@" + version, CPE: "cpe:2.3:o:linux:linux_kernel:" + version + ":*:*:*:*:*:*:*",
		Hashes: &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: k.SHA256}},
	}}, nil
}
