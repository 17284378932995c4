package nodeapp

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Chromium is Debian's package of that browser.
const Chromium = "chromium"

// browserPackages fetch a browser when they are installed, into the home of who installs, which is not in the image.
func browserPackages() []string { return []string{"puppeteer", "playwright", "playwright-chromium"} }

// warnOfBrowser says that the browser which a dependency expects will not be there: at run time that is "Could not find
// Chrome", long after the push. An app with a setting of its own for the place of the browser knows what it does.
func warnOfBrowser(m PackageJSON, repo fs.FS) []string {
	if slices.Contains(m.Settings.Packages, Chromium) || placesBrowser(m, repo) {
		return nil
	}
	deps := m.all.texts("dependencies")
	for _, name := range browserPackages() {
		if _, ok := deps[name]; ok {
			return []string{fmt.Sprintf("the browser of %s is not in a machine; "+
				`"nodeos": {"packages": ["chromium"]} in package.json brings Debian's, as %s`, name, ChromiumProgram)}
		}
	}
	return nil
}

// ChromiumProgram is the browser itself in Debian's package. The one in PATH is a script, and a machine has no shell.
const ChromiumProgram = "/usr/lib/chromium/chromium"

// placesBrowser reports whether the repository has settings of Puppeteer.
func placesBrowser(m PackageJSON, repo fs.FS) bool {
	if _, ok := m.all["puppeteer"]; ok {
		return true
	}
	entries, err := fs.ReadDir(repo, ".")
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return strings.HasPrefix(e.Name(), ".puppeteerrc") || strings.HasPrefix(e.Name(), "puppeteer.config.")
	})
}
