package command

import (
	"bytes"
	"encoding/json"
	"path"
	"slices"
	"strings"
)

// Supply is what is known, before anything is installed, of the programs that packages bring.
type Supply struct {
	root Package
	bins map[string]bin // by the name of the program; nil: the lockfile does not tell
}

// bin is a program of a package.
type bin struct {
	pkg string
	dev bool // the package is there for devDependencies only
}

// having says whether an app will have a program.
type having int

const (
	unknown having = iota
	present
	devOnly
	missing
)

// NewSupply reads npm's lockfile. One that cannot be read tells nothing; npm will say so.
func NewSupply(root Package, lock []byte) Supply {
	var doc struct {
		Packages map[string]struct {
			Bin json.RawMessage `json:"bin"`
			Dev bool            `json:"dev"`
		} `json:"packages"`
	}
	lock = bytes.TrimPrefix(lock, []byte("\xef\xbb\xbf"))
	s := Supply{root: root}
	if json.Unmarshal(lock, &doc) != nil {
		return s
	}
	for where, p := range doc.Packages {
		name := where
		if i := strings.LastIndex(where, nodeModules+"/"); i >= 0 {
			name = where[i+len(nodeModules)+1:]
		}
		var bins map[string]string
		if json.Unmarshal(p.Bin, &bins) != nil {
			var one string
			if json.Unmarshal(p.Bin, &one) != nil {
				continue
			}
			bins = map[string]string{path.Base(name): one}
		}
		for program := range bins {
			if s.bins == nil {
				s.bins = map[string]bin{}
			}
			if old, ok := s.bins[program]; !ok || old.dev {
				s.bins[program] = bin{name, p.Dev}
			}
		}
	}
	return s
}

// packageOf are packages whose program has another name, for lockfiles that do not tell.
var packageOf = map[string]string{
	"nest": "@nestjs/cli", "ng": "@angular/cli", "tsc": "typescript", "vue-cli-service": "@vue/cli-service", "nuxi": "nuxt",
	"tsnd": "ts-node-dev", "remix": "@remix-run/dev", "remix-serve": "@remix-run/serve", "react-router": "@react-router/dev",
	"react-router-serve": "@react-router/serve", "svelte-kit": "@sveltejs/kit", "babel-node": "@babel/node",
	"babel": "@babel/cli", "webpack": "webpack-cli", "fastify": "fastify-cli", "strapi": "@strapi/strapi",
	"medusa": "@medusajs/cli", "sequelize": "sequelize-cli", "run-s": "npm-run-all", "run-p": "npm-run-all",
	"tailwindcss": "@tailwindcss/cli", "swc": "@swc/cli",
}

// find says whether a program will be there for a command of a package, and which package brings it. root says that own
// is the root package.
func (s Supply) find(program string, own Package, root bool) (having, string) {
	if b, ok := s.bins[program]; ok {
		if b.dev {
			return devOnly, b.pkg
		}
		return present, b.pkg
	}
	name, ok := packageOf[program]
	if !ok {
		name = program
	}
	dev, any := false, false
	for _, m := range []Package{own, s.root} {
		if _, ok := m.Deps[name]; ok {
			return present, name
		}
		_, ok := m.DevDeps[name]
		dev, any = dev || ok, any || len(m.Deps)+len(m.DevDeps) > 0
	}
	switch {
	case dev:
		return devOnly, name
	case s.bins != nil && root, !any && !s.root.Workspaces:
		return missing, name
	}
	return unknown, name
}

// PackageOf is the package that brings a program, as far as its name tells.
func PackageOf(program string) string {
	if name, ok := packageOf[program]; ok {
		return name
	}
	return program
}

// programOf is the program that npx runs for a name: of a program, or of a package.
func (s Supply) programOf(name string) string {
	if _, ok := s.bins[name]; ok {
		return name
	}
	var found []string
	for program, b := range s.bins {
		if b.pkg == name {
			found = append(found, program)
		}
	}
	for program, pkg := range packageOf {
		if pkg == name && len(s.bins) == 0 {
			found = append(found, program)
		}
	}
	scope, base, scoped := strings.Cut(name, "/")
	switch slices.Sort(found); {
	case len(found) > 0 && !slices.Contains(found, path.Base(name)):
		return found[0]
	case scoped && len(scope) > 1 && scope[0] == '@':
		return base
	}
	return name
}
