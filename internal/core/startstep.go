package core

import "strings"

// StartStep is one command of an app's start, as its author wrote it. It names variables, whose values are known when a
// machine boots (Process), and never holds them.
type StartStep struct {
	Name  string       `json:"name,omitempty"` // its text, for people
	Set   []Assignment `json:"set,omitempty"`  // in order, before its words are filled in
	Words []Word       `json:"words"`          // argv, before the values are split into fields
	Own   []Assignment `json:"own,omitempty"`  // in order, after its words: they are for the program alone
	Dir   string       `json:"dir,omitempty"`  // below the app's folder; "": that folder
	Next
}

// Next says which command of a start follows one that has ended, by its index. No command goes back to an earlier one;
// an index where there is none is the end of the start.
type Next struct {
	OK   int `json:"ok,omitempty"`   // after exit code 0
	Fail int `json:"fail,omitempty"` // otherwise
}

// Assignment is NAME=value.
type Assignment struct {
	Name  string `json:"name"`
	Value Word   `json:"value,omitempty"`
}

// Word is a word of a command: its pieces, one after the other.
type Word []Piece

// Piece is a text, or a variable and what to do with it.
type Piece struct {
	Text   string `json:"text,omitempty"`
	Var    string `json:"var,omitempty"`    // "": Text stands here
	Quoted bool   `json:"quoted,omitempty"` // its value is not split, and a field though it may be empty
	Op     string `json:"op,omitempty"`     // of POSIX: "-", "+", "=" or "?", or one with ":"; "": the plain value
	Else   Word   `json:"else,omitempty"`   // what Op uses
}

// Process is a StartStep whose variables are filled in.
type Process struct {
	Name string
	Args []string          // argv; never empty
	Env  map[string]string // in addition to the environment of the machine
	Dir  string
	Next
}

// Plain is the word that is text.
func Plain(text string) Word { return Word{{Text: text, Quoted: true}} }

// Literal is the text of a word without variables.
func (w Word) Literal() (text string, ok bool) {
	for _, p := range w {
		if p.Var != "" {
			return "", false
		}
		text += p.Text
	}
	return text, true
}

// String is the command as people read it, in one line.
func (s StartStep) String() string {
	var all []string
	for _, w := range s.Words {
		all = append(all, w.String())
	}
	return strings.Join(all, " ")
}

// String is the word with its variables.
func (w Word) String() string {
	var b strings.Builder
	for _, p := range w {
		switch {
		case p.Var == "":
			b.WriteString(p.Text)
		case p.Op == "":
			b.WriteString("$" + p.Var)
		default:
			b.WriteString("${" + p.Var + p.Op + p.Else.String() + "}")
		}
	}
	return b.String()
}
