// Package guess is how much memory an app is expected to need. Pure.
package guess

import "github.com/nodeos-dev/gitd/internal/core"

// guesses are packages with which an app does not start in the memory that a machine gets by default, or hardly fits
// into it, and how much it gets instead. A guess that is too low costs another boot, and one that is too high costs the
// host memory for as long as the app runs, so what is not known to need it is not here
// (docs/decisions/0066-memory.md).
var guesses = []core.Guess{
	{MemoryMiB: 512, Package: "@strapi/strapi"}, // its admin, its ORM and TypeScript's loader, all at the start
	{MemoryMiB: 512, Package: "puppeteer"},      // a Chromium beside Node
	{MemoryMiB: 512, Package: "playwright"},     // as puppeteer
	{MemoryMiB: 256, Package: "next"},           // the server of an app with pages
	{MemoryMiB: 256, Package: "nuxt"},           // as next
	{MemoryMiB: 256, Package: "node-red"},       // its palette, all loaded at the start: it fits into 128, barely
	{MemoryMiB: 256, Package: "sharp"},          // libvips, and an image as pixels
	{MemoryMiB: 256, Package: "argon2"},         // 64 MiB for each hash by default, four at a time
	{MemoryMiB: 256, Package: "ts-node"},        // the TypeScript compiler in the running app
	{MemoryMiB: 256, Package: "typescript"},     // as ts-node, if it is no devDependency
}

// Of says how much memory an app with these dependencies is expected to need: the most of what one of them needs.
func Of(dependencies map[string]string) core.Guess {
	var most core.Guess
	for _, g := range guesses {
		if _, ok := dependencies[g.Package]; ok && g.MemoryMiB > most.MemoryMiB {
			most = g
		}
	}
	return most
}
