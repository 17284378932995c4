package sbom

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"github.com/nodeos-dev/gitd/internal/contents"
)

// npm is the part of a document about packages of npm.
type npm struct {
	packages   *contents.Packages
	components []cdx.Component
	copies     map[string][]contents.Package // by reference: one package may be in many folders
}

func newNPM(p *contents.Packages) npm {
	n := npm{packages: p, copies: map[string][]contents.Package{}}
	var refs []string
	for _, one := range p.List {
		ref := reference(one)
		if len(n.copies[ref]) == 0 {
			refs = append(refs, ref)
		}
		n.copies[ref] = append(n.copies[ref], one)
	}
	for _, ref := range refs {
		n.components = append(n.components, component(ref, n.copies[ref]))
	}
	return n
}

// reference names a package within a document. A folder of the repository has no purl: the registry may have another
// package of its name.
func reference(p contents.Package) string {
	if p.Local {
		return "local:" + p.Path
	}
	return purl(p.Name, p.Version)
}

func component(ref string, copies []contents.Package) cdx.Component {
	p := copies[0]
	c := cdx.Component{BOMRef: ref, Type: cdx.ComponentTypeLibrary, Name: p.Name, Version: p.Version, Licenses: licences(p.Licence)}
	if scope, name, ok := strings.Cut(p.Name, "/"); ok {
		c.Group, c.Name = scope, name
	}
	if !p.Local {
		c.PackageURL, c.Hashes = ref, hashes(p.Integrity)
	}
	var at []cdx.EvidenceOccurrence
	for _, one := range copies {
		at = append(at, cdx.EvidenceOccurrence{Location: one.Path})
	}
	c.Evidence = &cdx.Evidence{Occurrences: &at}
	return c
}

// purl is the URL of a package of npm: github.com/package-url/purl-spec.
func purl(name, version string) string {
	u := "pkg:npm/"
	if scope, rest, ok := strings.Cut(name, "/"); ok {
		u, name = u+escape(scope)+"/", rest
	}
	u += escape(name)
	if version != "" {
		u += "@" + escape(version)
	}
	return u
}

var escaper = strings.NewReplacer("@", "%40", "+", "%2B", "&", "%26", "=", "%3D", "$", "%24")

func escape(s string) string { return escaper.Replace(url.PathEscape(s)) }

// hashes are those of the archive that was installed, from npm's "sha512-…", of which there may be several.
func hashes(integrity string) *[]cdx.Hash {
	var list []cdx.Hash
	for one := range strings.FieldsSeq(integrity) {
		name, value, _ := strings.Cut(one, "-")
		algorithm, ok := map[string]cdx.HashAlgorithm{
			"sha1": cdx.HashAlgoSHA1, "sha256": cdx.HashAlgoSHA256, "sha384": cdx.HashAlgoSHA384, "sha512": cdx.HashAlgoSHA512,
		}[name]
		value, _, _ = strings.Cut(value, "?")
		sum, err := base64.StdEncoding.DecodeString(value)
		if ok && err == nil && len(sum) > 0 {
			list = append(list, cdx.Hash{Algorithm: algorithm, Value: hex.EncodeToString(sum)})
		}
	}
	if len(list) == 0 {
		return nil
	}
	return &list
}

// dependencies say which package uses which, as Node would find it.
func (n npm) dependencies() []cdx.Dependency {
	list := []cdx.Dependency{n.dependency(appRef, []contents.Package{n.packages.App})}
	for ref, copies := range n.copies {
		list = append(list, n.dependency(ref, copies))
	}
	slices.SortFunc(list[1:], func(a, b cdx.Dependency) int { return cmp.Compare(a.Ref, b.Ref) })
	return list
}

func (n npm) dependency(ref string, copies []contents.Package) cdx.Dependency {
	var on []string
	for _, p := range copies {
		for _, name := range p.Needs {
			if to, ok := n.packages.Resolve(p.Path, name); ok {
				on = append(on, reference(to))
			}
		}
	}
	slices.Sort(on)
	on = slices.DeleteFunc(slices.Compact(on), func(r string) bool { return r == ref })
	if len(on) == 0 {
		return cdx.Dependency{Ref: ref}
	}
	return cdx.Dependency{Ref: ref, Dependencies: &on}
}
