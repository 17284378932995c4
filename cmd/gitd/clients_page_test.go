package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// row is what one client did.
type row struct {
	client  client
	version string
	cells   map[string]string
	notes   map[string]string
}

const pageHead = `# Clients

A test has written this page: it fetches each client, has it do all of this at a running gitd, and judges what comes of
it. ` + "`make test-clients`" + ` runs the test again and fails if the result is another one; ` +
	"`make test-clients\nUPDATE=1`" + ` writes the page.

`

// page is docs/clients.md.
func page(rows []*row) string {
	var b strings.Builder
	b.WriteString(pageHead)
	shown := append([]column{
		{id: "hostkey", title: "host key", what: "which of gitd's host keys the client has chosen"},
		{id: "key", title: "ed25519", what: "it logs in with an ed25519 key"},
	}, columns...)
	b.WriteString("| client | version |")
	for _, c := range shown {
		fmt.Fprintf(&b, " %s |", c.title)
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(shown)) + "\n")
	var notes []string
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s |", r.client.name, r.version)
		for _, c := range shown {
			cell := r.cells[c.id]
			if said, ok := r.notes[c.id]; ok {
				notes = append(notes, footnote(r, c, said))
				cell += fmt.Sprintf(" [%d](#notes)", len(notes))
			}
			fmt.Fprintf(&b, " %s |", cell)
		}
		b.WriteString("\n")
	}
	b.WriteString("\n\"-\": the client has no such operation. The columns:\n\n")
	for _, c := range shown {
		fmt.Fprintf(&b, "- **%s**: %s.\n", c.title, c.what)
	}
	if len(notes) > 0 {
		b.WriteString("\n## Notes\n\n")
		for n, text := range notes {
			b.WriteString(wrap(fmt.Sprintf("%d. %s", n+1, text), "   "))
		}
	}
	b.WriteString("\n## What to type\n\nThese lines are the ones that the test types, in the working copy of an app `shop` whose remote is\n" +
		"`ssh://nodeos@HOST:2222/shop`. FINGERPRINT is that of the host key, as `gitd status` shows it.\n")
	for _, r := range rows {
		b.WriteString(r.client.lesson())
	}
	return b.String()
}

func footnote(r *row, c column, said string) string {
	text := fmt.Sprintf("%s, %s: `%s`", r.client.name, c.title, strings.ReplaceAll(said, "`", "'"))
	if why := r.client.why[c.id]; why != "" {
		text += " - " + why
	}
	return text + "."
}

// lesson says what a user of the client types.
func (c client) lesson() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n### %s\n\n%s\n```\n", c.name, wrap(strings.TrimSpace(c.from+". "+c.note), ""))
	for _, line := range append(append([]string{}, c.once...), c.before...) {
		b.WriteString(line + "\n")
	}
	seen := map[string]bool{}
	for _, col := range columns {
		if line := c.lines[col.id]; line != "" && !seen[line] {
			seen[line] = true
			fmt.Fprintf(&b, "%-60s # %s\n", line, col.title)
		}
	}
	b.WriteString("```\n")
	return b.String()
}

// wrap breaks a paragraph into lines of at most 120 columns, as all prose here has, and indents all but the first.
func wrap(text, indent string) string {
	var b strings.Builder
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line+" "+word) > 120:
			b.WriteString(line + "\n")
			line = indent + word
		default:
			line += " " + word
		}
	}
	return b.String() + line + "\n"
}
