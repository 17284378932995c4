// Package sbom writes the software bill of materials of an image, as CycloneDX.
//
// It owns how packages, Node, the kernel and Debian's libraries are named in it: purl, CPE and hash. It does not own
// what is in an image (package contents). The same release gives the same bytes: the number of a document comes from
// the digests of the image, and its time is the release's.
package sbom

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"github.com/nodeos-dev/gitd/internal/contents"
	"github.com/nodeos-dev/gitd/internal/core"
)

// Input is what a document is made of.
type Input struct {
	Release  core.Release
	Packages *contents.Packages
	Base     contents.BaseInfo
	Version  string // of gitd
}

// appRef is the app's name within a document.
const appRef = "app"

// Write writes the document to w.
func Write(w io.Writer, in Input) error {
	bom := cdx.NewBOM()
	bom.SerialNumber = serial(in.Release)
	bom.Metadata = in.metadata()
	npm := newNPM(in.Packages)
	components := slices.Concat(npm.components, in.base())
	slices.SortStableFunc(components, func(a, b cdx.Component) int { return cmp.Compare(a.BOMRef, b.BOMRef) })
	bom.Components = &components
	dependencies := npm.dependencies()
	bom.Dependencies = &dependencies
	enc := cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON)
	enc.SetPretty(true)
	enc.SetEscapeHTML(false)
	return enc.EncodeVersion(bom, cdx.SpecVersion1_6)
}

// serial is a UUID of the form 8 (RFC 9562), from what the image is.
func serial(r core.Release) string {
	h := sha256.Sum256(fmt.Append(nil, r.App, " ", r.Version, " ", r.Commit, " ", r.Manifest.Files()))
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

func (in Input) metadata() *cdx.Metadata {
	r := in.Release
	app := cdx.Component{
		BOMRef: appRef, Type: cdx.ComponentTypeApplication, Name: r.App,
		Version:  cmp.Or(in.Packages.App.Version, fmt.Sprintf("v%d", r.Version)),
		Licenses: licences(in.Packages.App.Licence),
		Properties: &[]cdx.Property{
			{Name: "nodeos:release", Value: fmt.Sprintf("v%d", r.Version)},
			{Name: "nodeos:commit", Value: r.Commit},
			{Name: "nodeos:base", Value: r.Manifest.Base},
			{Name: "nodeos:layer:app", Value: "sha256:" + r.Manifest.App.Digest},
		},
	}
	for name, l := range map[string]core.Layer{"deps": r.Manifest.Deps, "debian": r.Manifest.Debian} {
		if l.Digest != "" {
			*app.Properties = append(*app.Properties, cdx.Property{Name: "nodeos:layer:" + name, Value: "sha256:" + l.Digest})
		}
	}
	slices.SortFunc(*app.Properties, func(a, b cdx.Property) int { return cmp.Compare(a.Name, b.Name) })
	return &cdx.Metadata{
		Timestamp: r.Created.UTC().Format(time.RFC3339),
		Tools: &cdx.ToolsChoice{Components: &[]cdx.Component{
			{Type: cdx.ComponentTypeApplication, Name: "gitd", Version: in.Version},
		}},
		Component: &app,
	}
}

// licences is what a package says of its licence, as far as that is an expression of SPDX.
func licences(text string) *cdx.Licenses {
	switch {
	case text == "":
		return nil
	case isExpression(text):
		return &cdx.Licenses{{Expression: text}}
	}
	return &cdx.Licenses{{License: &cdx.License{Name: text}}}
}

// isExpression: names of licences between AND, OR and WITH. "UNLICENSED" and "SEE LICENSE IN …" are npm's own.
func isExpression(text string) bool {
	wantName := true
	for word := range strings.FieldsSeq(strings.NewReplacer("(", " ", ")", " ").Replace(text)) {
		joins := word == "AND" || word == "OR" || word == "WITH"
		if joins == wantName || word == "UNLICENSED" || strings.Trim(word, nameLetters) != "" {
			return false
		}
		wantName = !wantName
	}
	return !wantName
}

const nameLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-+:"
