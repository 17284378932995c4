package debian

import (
	"regexp"
	"strings"
)

// irregular are libraries whose package is not named by Debian's rule: policy 8.1 makes libcairo.so.2 of libcairo2.
func irregular() map[string]string {
	return map[string]string{
		"libX11-xcb.so.1": "libx11-xcb1", "libz.so.1": "zlib1g", "libcrypto.so.3": "libssl3", "libcrypto.so.1.1": "libssl1.1",
		"libcrypt.so.1": "libcrypt1", "libjpeg.so.62": "libjpeg62-turbo", "libharfbuzz.so.0": "libharfbuzz0b",
		"libgobject-2.0.so.0": "libglib2.0-0", "libgio-2.0.so.0": "libglib2.0-0", "libgmodule-2.0.so.0": "libglib2.0-0",
		"libgthread-2.0.so.0": "libglib2.0-0", "libgdk-3.so.0": "libgtk-3-0", "libsmime3.so": "libnss3", "libnssutil3.so": "libnss3",
		"libssl3.so": "libnss3", "libplc4.so": "libnspr4", "libplds4.so": "libnspr4", "libodbcinst.so.2": "libodbcinst2",
		"libsystemd.so.0": "libsystemd0", "libpng16.so.16": "libpng16-16",
		"libgomp.so.1": "libgomp1", "libcurl.so.4": "libcurl4", "libcurl-gnutls.so.4": "libcurl3-gnutls", "libGL.so.1": "libgl1",
		"libdbus-1.so.3": "libdbus-1-3", "libusb-1.0.so.0": "libusb-1.0-0", "librsvg-2.so.2": "librsvg2-2", "libsecret-1.so.0": "libsecret-1-0",
		"libpcsclite.so.1": "libpcsclite1", "libtiff.so.6": "libtiff6", "libmariadb.so.3": "libmariadb3", "libatspi.so.0": "libatspi2.0-0", "libbz2.so.1.0": "libbz2-1.0",
	}
}

// soname splits the name of a library: "cairo" and "2" of libcairo.so.2, "tcl8.6" and "" of libtcl8.6.so.
var soname = regexp.MustCompile(`^lib([A-Za-z0-9+._-]{1,80})\.so(?:\.([0-9][0-9.]{0,20}))?$`)

var beforeVersion = regexp.MustCompile(`-([0-9])`)

// Candidates are the packages that may have library, the likeliest first. Debian's index of all files would say for
// certain; it has 12 MB and changes four times a day, and a list of names is there already.
func Candidates(library string) []string {
	if p, ok := irregular()[library]; ok {
		return []string{p, p + "t64"}
	}
	m := soname.FindStringSubmatch(library)
	if m == nil {
		return nil
	}
	name, version := strings.ToLower(strings.ReplaceAll(m[1], "_", "-")), m[2]
	stems := []string{name}
	if glued := beforeVersion.ReplaceAllString(name, "$1"); glued != name { // libatk-1.0.so.0 is in libatk1.0-0
		stems = append(stems, glued)
	}
	major, _, _ := strings.Cut(version, ".")
	var all []string
	for _, s := range stems {
		for _, v := range []string{version, major} {
			if v != "" && strings.ContainsAny(s[len(s)-1:], "0123456789") {
				v = "-" + v
			}
			all = append(all, "lib"+s+v, "lib"+s+v+"t64") // t64: what has 64-bit times since Debian 13
		}
	}
	return all
}

// PackageOf is the package of known that has library, as far as its name tells; "": none.
func PackageOf(library string, known map[string]bool) string {
	for _, c := range Candidates(library) {
		if known[c] {
			return c
		}
	}
	return ""
}
