package libvirt

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/libvirt/jails"
	"github.com/nodeos-dev/gitd/internal/libvirt/specs"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func goldenSpec() core.MachineSpec {
	return core.MachineSpec{
		ID: "shop-v3-9f2c", App: "shop", Release: 3, Kernel: "/s/bases/b/kernel", Initrd: "/s/bases/b/initrd", Hostname: "shop",
		Args: []string{"node", "secret-argument"}, Env: map[string]string{"TOKEN": "secret-value"}, Port: 8080,
		Disks: []core.Disk{
			{Serial: "base", Path: "/s/bases/b/root.erofs"}, {Serial: "app", Path: "/s/layers/a.erofs"}, {Serial: "deps", Path: "/s/layers/d.erofs"},
		},
		Share: core.Share{Resources: core.Resources{MemoryMiB: 128, CPUs: 1}},
	}
}

func goldenDriver() *Driver {
	return &Driver{platform: platforms["amd64"], machineFiles: machineFiles{state: "/s", embedded: true}, owner: "/s", accel: accelQEMU, firmware: "/usr/share/qemu/qboot.rom"}
}

func domainXML(t *testing.T, d *Driver, spec core.MachineSpec) string {
	t.Helper()
	text, err := d.domain(spec, jails.Place{Emulator: "/s/libvirt/qemu-0", Spec: "/s/machines/shop-v3-9f2c/walls.json", Door: "/s/machines/shop-v3-9f2c/app"}, time.Unix(1750000000, 0)).xml()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestDomainXML(t *testing.T) {
	t.Run("amd64", func(t *testing.T) { compareDomain(t, goldenDriver(), "testdata/domain.xml") })
	t.Run("arm64", func(t *testing.T) {
		d := goldenDriver()
		d.platform, d.firmware = platforms["arm64"], ""
		compareDomain(t, d, "testdata/domain-arm64.xml")
	})
}

func compareDomain(t *testing.T, d *Driver, golden string) {
	got := domainXML(t, d, goldenSpec())
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the domain differs from %s (rewrite it with -update):\n%s", golden, got)
	}
	if strings.Contains(got, "secret") {
		t.Error("arguments or config are in the domain")
	}
}

// TestDomainVariants: a part that a machine does not have leaves no trace in its domain.
func TestDomainVariants(t *testing.T) {
	d, spec := goldenDriver(), goldenSpec()
	d.accel, d.firmware, d.embedded, spec.Initrd = accelKVM, "", false, ""
	spec.Disks = append(spec.Disks, core.Disk{Serial: "vol-data", Path: "/s/volumes/data", Writable: true})
	got := domainXML(t, d, spec)
	if n, owned := strings.Count(got, "<readonly/>"), strings.Count(got, "relabel='no'"); n != 3 || owned != 3 {
		t.Errorf("%d of 4 disks are read-only, %d keep their owner; want 3:\n%s", n, owned, got)
	}
	for _, not := range []string{"<loader", "<initrd", "nolapic_timer", "no_timer_check", "bind"} {
		if strings.Contains(got, not) {
			t.Errorf("the domain has %s:\n%s", not, got)
		}
	}
	for _, want := range []string{"<domain type='kvm'", "host-passthrough", "root=/dev/vda", "relabel='no'"} {
		if !strings.Contains(got, want) {
			t.Errorf("the domain lacks %s:\n%s", want, got)
		}
	}
}

// TestDomainXMLIsSafe: no text in a spec becomes markup. An XML parser reads the values as they were, except for
// characters that XML cannot hold.
func TestDomainXMLIsSafe(t *testing.T) {
	plain := shape(t, domainXML(t, goldenDriver(), goldenSpec()))
	for _, bad := range []string{
		`'/><qemu:arg value='-monitor`, `"</metadata><x>`, "<!--", "]]>", "&amp;&#x27;&lt;", "a\nb\tc\rd", "\x00\x01\x1b", "\xff\xfe", "{{.Owner}}", "日本語",
	} {
		d, spec := goldenDriver(), goldenSpec()
		d.owner, d.firmware = owner(bad), "/"+bad
		spec.ID, spec.App, spec.Kernel, spec.Initrd = bad, bad, "/"+bad, "/"+bad
		for i := range spec.Disks {
			spec.Disks[i] = core.Disk{Serial: bad, Path: "/" + bad}
		}
		text := domainXML(t, d, spec)
		if got := shape(t, text); got != plain {
			t.Errorf("%q changes the domain's elements:\n%s", bad, text)
		}
		var parsed struct {
			Name string `xml:"name"`
		}
		if err := xml.Unmarshal([]byte(text), &parsed); err != nil {
			t.Errorf("%q: %v", bad, err)
		}
		if want := strings.ToValidUTF8(bad, "\uFFFD"); !strings.ContainsAny(bad, "\x00\xff") && parsed.Name != want { //nolint:staticcheck // hostile names are the point
			t.Errorf("name %q came back as %q", bad, parsed.Name)
		}
	}
}

// shape returns the names of all elements and attributes, in order.
func shape(t *testing.T, text string) string {
	t.Helper()
	var b strings.Builder
	dec := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return b.String()
		}
		if err != nil {
			t.Fatalf("%v in:\n%s", err, text)
		}
		if e, ok := token.(xml.StartElement); ok {
			b.WriteString("<" + e.Name.Local)
			for _, a := range e.Attr {
				b.WriteString(" " + a.Name.Local)
			}
		}
	}
}

func TestParseMark(t *testing.T) {
	const good = `<gitd:machine xmlns:gitd="urn:gitd:machine:1" owner="/s" app="shop" release="3" door="/s/machines/shop-v3-9f2c/app" started="2025-06-15T15:06:40Z"/>`
	m, err := parseMark("shop-v3-9f2c", "/s", good)
	want := core.Machine{ID: "shop-v3-9f2c", App: "shop", Release: 3, Addr: "/s/machines/shop-v3-9f2c/app", Started: time.Unix(1750000000, 0).UTC()}
	if err != nil || m != want {
		t.Errorf("got %+v, %v", m, err)
	}
	if _, err := parseMark("x", "/other", good); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("another owner's machine: %v", err)
	}
	for _, bad := range []string{"", "<machine", `<domain owner="/s"/>`, strings.Replace(good, `"3"`, `"three"`, 1), strings.Replace(good, "2025", "soon", 1)} {
		if _, err := parseMark("x", "/s", bad); err == nil || errors.Is(err, core.ErrNotFound) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestCheckSpec(t *testing.T) {
	if err := specs.Check(goldenSpec()); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*core.MachineSpec){
		"id with a slash":    func(s *core.MachineSpec) { s.ID = "../x" },
		"id in capitals":     func(s *core.MachineSpec) { s.ID = "Shop" },
		"empty id":           func(s *core.MachineSpec) { s.ID = "" },
		"long id":            func(s *core.MachineSpec) { s.ID = strings.Repeat("x", 64) },
		"no memory":          func(s *core.MachineSpec) { s.MemoryMiB = 0 },
		"no CPU":             func(s *core.MachineSpec) { s.CPUs = 0 },
		"no disk":            func(s *core.MachineSpec) { s.Disks = nil },
		"too many disks":     func(s *core.MachineSpec) { s.Disks = make([]core.Disk, 13) },
		"relative disk":      func(s *core.MachineSpec) { s.Disks[0].Path = "x" },
		"two of one serial":  func(s *core.MachineSpec) { s.Disks[0].Serial = "app" },
		"no serial":          func(s *core.MachineSpec) { s.Disks[0].Serial = "" },
		"long serial":        func(s *core.MachineSpec) { s.Disks[0].Serial = strings.Repeat("x", 21) },
		"mount of no disk":   func(s *core.MachineSpec) { s.Mounts = []core.Mount{{Serial: "vol-data", Path: "/data"}} },
		"read-only mount":    func(s *core.MachineSpec) { s.Mounts = []core.Mount{{Serial: "app", Path: "/data"}} },
		"relative kernel":    func(s *core.MachineSpec) { s.Kernel = "" },
		"port out of bounds": func(s *core.MachineSpec) { s.Port = 65536 },
	} {
		spec := goldenSpec()
		spoil(&spec)
		if err := specs.Check(spec); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
