package native

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// libraries are those of the host.
func libraries(t testing.TB) []string {
	t.Helper()
	var all []string
	for _, dir := range []string{"/lib/*-linux-gnu", "/usr/lib/*-linux-gnu", "/lib64"} {
		found, err := filepath.Glob(dir + "/lib*.so*")
		check(t, err)
		all = append(all, found...)
	}
	if len(all) < 10 {
		t.Fatalf("this host has only %q", all)
	}
	return all
}

// Package debug/elf is the judge, for files that nobody has prepared: it reads sections, readObject reads what the
// loader reads.
func TestReadAgreesWithDebugELF(t *testing.T) {
	machine, _ := here()
	read := 0
	for _, name := range libraries(t) {
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a dangling link
		}
		check(t, err)
		got, err := readObject(f, machine)
		if errors.Is(err, errOther) {
			f.Close()
			continue // a linker's script, or of another machine
		}
		check(t, err)
		e, err := elf.NewFile(f)
		check(t, err)
		needed, err := e.DynString(elf.DT_NEEDED)
		check(t, err)
		if !slices.Equal(got.needed, needed) {
			t.Errorf("%s needs %q, and not %q", name, needed, got.needed)
		}
		if names, err := e.DynString(elf.DT_SONAME); err == nil && strings.Join(names, "") != got.soname {
			t.Errorf("%s is %q, and not %q", name, names, got.soname)
		}
		var versions []version
		all, _ := e.DynamicVersionNeeds() // an error: it wants none
		for _, n := range all {
			for _, d := range n.Needs {
				if d.Flags&elf.VER_FLG_WEAK == 0 {
					versions = append(versions, version{n.Name, d.Dep})
				}
			}
		}
		if !slices.Equal(got.versions, versions) {
			t.Errorf("%s wants %v, and not %v", name, versions, got.versions)
		}
		read++
		f.Close()
	}
	if read < 5 {
		t.Errorf("only %d libraries were read", read)
	}
}

func TestReadRefuses(t *testing.T) {
	machine, _ := here()
	good := small(t)
	if _, err := readObject(bytes.NewReader(good), machine); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(b []byte) []byte{
		"nothing":         func([]byte) []byte { return nil },
		"text":            func([]byte) []byte { return []byte("#!/bin/sh\n" + strings.Repeat(" ", 100)) },
		"32 bits":         func(b []byte) []byte { b[elf.EI_CLASS] = byte(elf.ELFCLASS32); return b },
		"another machine": func(b []byte) []byte { binary.LittleEndian.PutUint16(b[18:], uint16(elf.EM_S390)); return b },
		"FreeBSD's":       func(b []byte) []byte { b[elf.EI_OSABI] = byte(elf.ELFOSABI_FREEBSD); return b },
		"an object file":  func(b []byte) []byte { binary.LittleEndian.PutUint16(b[16:], uint16(elf.ET_REL)); return b },
		"65,535 headers":  func(b []byte) []byte { binary.LittleEndian.PutUint16(b[56:], 0xffff); return b },
		"headers nowhere": func(b []byte) []byte { binary.LittleEndian.PutUint64(b[32:], 1<<63); return b },
		"cut short":       func(b []byte) []byte { return b[:len(b)/4] },
	} {
		if o, err := readObject(bytes.NewReader(change(slices.Clone(good))), machine); err == nil {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

// small is a small library of the host.
func small(t testing.TB) []byte {
	t.Helper()
	machine, _ := here()
	for _, name := range libraries(t) {
		info, err := os.Stat(name)
		if err != nil || info.Size() > 64<<10 {
			continue
		}
		b, err := os.ReadFile(name)
		check(t, err)
		if o, err := readObject(bytes.NewReader(b), machine); err == nil && len(o.needed) > 0 && len(o.versions) > 0 {
			return b
		}
	}
	t.Fatal("this host has no small library")
	return nil
}

func FuzzReadObject(f *testing.F) {
	machine, _ := here()
	f.Add(small(f))
	f.Add([]byte(elf.ELFMAG))
	f.Fuzz(func(t *testing.T, b []byte) {
		begin := time.Now()
		o, err := readObject(bytes.NewReader(b), machine)
		if len(o.needed) > maxDynamic || len(o.versions) > maxVersions || time.Since(begin) > 5*time.Second {
			t.Errorf("%d libraries, %d versions, %v, %v", len(o.needed), len(o.versions), time.Since(begin), err)
		}
	})
}

// A list of versions whose distances lead back, or one that has 65,535 versions for each of its libraries: both end.
func TestVersionsEnd(t *testing.T) {
	le := binary.LittleEndian
	b := make([]byte, 64)
	b[40] = 'v' // the string table is at 40
	le.PutUint16(b[2:], 0xffff)
	le.PutUint32(b[8:], 16)  // the first version is behind it
	le.PutUint32(b[12:], 16) // the next library is the version …
	le.PutUint32(b[16+12:], 0xfffffff0)
	f := file{r: bytes.NewReader(b), loads: []elf.Prog64{{Filesz: 64}}}
	if all, err := f.verneed(0, 40); err == nil || len(all) > maxVersions {
		t.Errorf("%d versions, %v", len(all), err)
	}
}

func TestLoadable(t *testing.T) {
	_, npm := here()
	other := map[string]string{"x64": "arm64", "arm64": "x64"}[npm]
	for name, want := range map[string]bool{
		"build/Release/app.node":                                              true,
		"node_modules/bcrypt/lib/binding/napi-v3/bcrypt_lib.node":             true,
		"node_modules/better-sqlite3/build/Release/better_sqlite3.node":       true,
		"node_modules/usb/prebuilds/linux-" + npm + "/node.napi.glibc.node":   true,
		"node_modules/usb/prebuilds/linux-" + npm + "/node.napi.musl.node":    false,
		"node_modules/usb/prebuilds/linux-" + other + "/node.napi.glibc.node": false,
		"node_modules/usb/prebuilds/darwin-x64+arm64/node.napi.node":          false,
		"node_modules/usb/prebuilds/linux-" + npm + "/electron.abi110.node":   false,
		"node_modules/@img/sharp-linux-" + npm + "/lib/sharp-linux.node":      true,
		"node_modules/@img/sharp-linuxmusl-" + npm + "/lib/sharp.node":        false,
		"node_modules/@node-rs/argon2-linux-" + npm + "-gnu/argon2.node":      true,
		"node_modules/@node-rs/argon2-linux-" + npm + "-musl/argon2.node":     false,
		"node_modules/.prisma/client/libquery_engine-debian.so.node":          true,
		"node_modules/.pnpm/a@1/node_modules/a/build/Release/a.node":          true,
		"node_modules/oddly/native/linux.node":                                false,
		"node_modules/canvas/build/Release/libcairo.so.2":                     false,
		"node_modules/esbuild/bin/esbuild":                                    false,
		"native.node":                                                         false,
	} {
		if got := loadable(name); got != want {
			t.Errorf("%s: %t, want %t", name, got, want)
		}
	}
}

// argon2 brings an addon for FreeBSD. A push warned that libcxxrt.so.1 is missing.
func TestOtherLibc(t *testing.T) {
	for library, want := range map[string]bool{
		"libc.so.6": false, "libcurl.so.4": false, "libc.so": true, "libc.musl-x86_64.so.1": true, "libc.so.7": true,
	} {
		if got := (object{needed: []string{"libm.so.6", library}}).otherLibc(); got != want {
			t.Errorf("%s: %t", library, got)
		}
	}
}

func TestPackageOf(t *testing.T) {
	for name, want := range map[string]string{
		"node_modules/@a/b/c/d.node": "@a/b", "node_modules/a/node_modules/b/x.node": "b", "src/x.node": "", "node_modules/x.node": "x.node",
	} {
		if got := packageOf(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// What the app brings is found as the loader finds it, and what it does not bring is wanted by name.
func TestWants(t *testing.T) {
	const sharp, vips = "node_modules/@img/sharp-linux-x64/lib/sharp.node", "node_modules/@img/sharp-libvips-linux-x64/lib/libvips-cpp.so.42"
	for name, c := range map[string]struct {
		objects map[string]object
		want    string
	}{
		"its own library, by the run path": {map[string]object{
			sharp: {needed: []string{"libvips-cpp.so.42", "libc.so.6"}, runpath: []string{"$ORIGIN/../../sharp-libvips-linux-x64/lib"}},
			vips:  {needed: []string{"libm.so.6"}},
		}, vips + " libm.so.6, " + sharp + " libc.so.6"},
		"of its name, elsewhere": {map[string]object{
			"build/Release/a.node": {needed: []string{"liba.so.1"}}, "lib/liba.so.1.2": {soname: "liba.so.1"},
		}, ""},
		"what its own library needs": {map[string]object{
			"build/Release/a.node":  {needed: []string{"liba.so"}, runpath: []string{"${ORIGIN}"}},
			"build/Release/liba.so": {needed: []string{"libcairo.so.2"}},
		}, "build/Release/liba.so libcairo.so.2 loaded"},
		"an absolute run path of the app": {map[string]object{
			"build/Release/a.node": {needed: []string{"liba.so"}, runpath: []string{"/usr/lib", "/app/lib"}}, "lib/liba.so": {},
		}, ""},
		"a program, and a library of nobody": {map[string]object{
			"bin/ffmpeg": {program: true, needed: []string{"libx.so.1"}}, "lib/libplugin.so": {needed: []string{"libcuda.so.1"}},
		}, "bin/ffmpeg libx.so.1, lib/libplugin.so libcuda.so.1"},
		"libraries in a circle": {map[string]object{
			"build/Release/a.node": {needed: []string{"liba.so"}}, "liba.so": {needed: []string{"libb.so"}}, "libb.so": {needed: []string{"liba.so", "c.so"}},
		}, "libb.so c.so loaded"},
		"a run path that leaves the app": {map[string]object{
			"build/Release/a.node": {needed: []string{"../../x.so", "l.so"}, runpath: []string{"$ORIGIN/../../../../etc"}}, "x.so": {},
		}, "build/Release/a.node ../../x.so l.so loaded"},
	} {
		tr := tree{objects: map[string]object{}, byName: map[string][]string{}}
		for p, o := range c.objects {
			tr.add(p, o)
		}
		var got []string
		for _, w := range tr.wants() {
			line := w.File + " " + strings.Join(w.Needs, " ")
			if w.Loaded && !strings.Contains(w.File, "sharp") {
				line += " loaded"
			}
			got = append(got, line)
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Versions are wanted only of libraries that the app does not bring.
func TestWantsVersions(t *testing.T) {
	tr := tree{objects: map[string]object{}, byName: map[string][]string{}}
	tr.add("build/Release/a.node", object{
		needed:   []string{"libc.so.6", "libown.so"},
		versions: []version{{"libc.so.6", "GLIBC_2.38"}, {"libown.so", "OWN_1"}},
	})
	tr.add("libown.so", object{})
	got := fmt.Sprintf("%+v", tr.wants())
	if want := "[{File:build/Release/a.node Needs:[libc.so.6] Versions:[libc.so.6 GLIBC_2.38] Loaded:true}]"; got != want {
		t.Errorf("%s", got)
	}
}

// Scan reads real files of both folders, follows no links, and leaves out what was made for another C library.
func TestScan(t *testing.T) {
	app, modules := t.TempDir(), t.TempDir()
	put := func(dir, name string, content []byte, mode fs.FileMode) {
		check(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		check(t, os.WriteFile(filepath.Join(dir, name), content, mode))
	}
	lib := small(t)
	put(app, "build/Release/a.node", lib, 0o644)
	put(app, "plain", lib, 0o644) // neither its name nor its mode says that it may be loaded
	put(app, "broken.node", lib[:100], 0o644)
	put(app, "program", lib, 0o755)
	put(modules, "node_modules/b/lib/b.so.1", lib, 0o644)
	check(t, os.Symlink("/usr/lib", filepath.Join(app, "system.node")))
	check(t, os.Symlink("../../../../../../../../usr/bin/env", filepath.Join(app, "env.node")))
	musl := bytes.Replace(lib, []byte("libc.so.6\x00"), []byte("libc.so\x00\x00\x00"), 1)
	put(app, "build/Release/musl.node", musl, 0o644)
	wants, err := Scan(app, modules)
	check(t, err)
	var got []string
	for _, w := range wants {
		got = append(got, w.File)
		if len(w.Needs) == 0 || len(w.Versions) == 0 || w.Loaded != (w.File == "build/Release/a.node") {
			t.Errorf("%+v", w)
		}
	}
	if want := []string{"build/Release/a.node", "node_modules/b/lib/b.so.1", "program"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q on %s", got, want, runtime.GOARCH)
	}
}
