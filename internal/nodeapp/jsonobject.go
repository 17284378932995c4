package nodeapp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// byteOrderMark may be at the beginning of a JSON file. npm accepts it too.
const byteOrderMark = "\xef\xbb\xbf"

// object is a JSON object with its keys as they are written. encoding/json
// on a struct would take "SCRIPTS" for "scripts", which npm does not.
type object map[string]json.RawMessage

// parseObject reads one JSON object. Of a key that is there twice the last
// one counts, as for npm; those keys are returned.
func parseObject(b []byte) (o object, twice []string, err error) {
	b = bytes.TrimPrefix(b, []byte(byteOrderMark))
	// The syntax is checked first: errors of a decoder do not say where they are in the document.
	if err := json.Unmarshal(b, new(json.RawMessage)); err != nil {
		return nil, nil, inText(b, err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, errors.New("it is not a JSON object")
	}
	o = object{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		key, _ := t.(string) // a key is nothing else
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, nil, err
		}
		if _, ok := o[key]; ok {
			twice = append(twice, key)
		}
		o[key] = value
	}
	return o, twice, nil
}

// inText adds line and column to a syntax error.
func inText(b []byte, err error) error {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	if syntax.Offset >= int64(len(b)) && syntax.Error() == "unexpected end of JSON input" {
		return errors.New("it ends too early")
	}
	at := min(max(int(syntax.Offset)-1, 0), len(b))
	line := 1 + bytes.Count(b[:at], []byte("\n"))
	column := at - bytes.LastIndexByte(b[:at], '\n')
	return fmt.Errorf("line %d, column %d: %w", line, column, err)
}

// text returns a string member; "" if it is not there or is something else.
func (o object) text(key string) string {
	var s string
	json.Unmarshal(o[key], &s) //nolint:errcheck // see above
	return s
}

// texts returns the string members of an object member.
func (o object) texts(key string) map[string]string {
	members, _, err := parseObject(o[key])
	if err != nil {
		return nil
	}
	all := map[string]string{}
	for k := range members {
		var s string
		if json.Unmarshal(members[k], &s) == nil {
			all[k] = s
		}
	}
	return all
}
