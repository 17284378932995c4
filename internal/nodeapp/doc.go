// Package nodeapp is what a repository says of its Node.js app: package.json, Procfile, app.json, lockfile, engines.
//
// It owns how these are read, which start command, settings and version of Node follow from them, what is refused and
// in which words, and the plan of a build: install, build, start. It is pure: it reads an fs.FS, asks no host, no git
// and no registry, and changes nothing. It does not own how a plan is carried out (package builder).
package nodeapp
