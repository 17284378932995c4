package core

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// MaxVars bounds the config of one app, in bytes of JSON: it travels to the
// guest in one message, together with the rest of the environment.
const MaxVars = 128 << 10

// VarChange is a change of an app's config variables.
type VarChange struct {
	Set   map[string]string
	Unset []string
	Build map[string]bool // whether builds see a variable from now on; others stay as they are in this
}

// varName is what POSIX allows as a name, with a bounded length.
var varName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// IsVarName reports whether name can be that of an environment variable.
func IsVarName(name string) bool { return varName.MatchString(name) }

// CheckVarName says why name cannot be a config variable, or nil.
func CheckVarName(name string) error {
	switch {
	case !IsVarName(name):
		return Reject(fmt.Sprintf("%.40q is no name of a variable", name),
			"use letters, digits and '_', not starting with a digit, at most 128")
	case name == "PORT":
		return Reject("PORT is set by gitd: it is where the app must listen", "")
	case strings.HasPrefix(name, "NODEOS_"):
		return Reject(name+" is reserved: NODEOS_… is what gitd tells the app about itself", "")
	case name == "PATH" || name == "HOME":
		return Reject(name+" is fixed: it says where things are in the image", "")
	}
	return nil
}

// CheckVars says why an app cannot have vars, or nil. It never names a value.
func CheckVars(vars map[string]string) error {
	for name, value := range vars {
		if err := CheckVarName(name); err != nil {
			return err
		}
		if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
			return Reject(fmt.Sprintf("the value of %s is not text: an environment holds no NUL and, here, UTF-8 only", name),
				"encode it, for example with base64, and decode it in the app")
		}
	}
	b, err := json.Marshal(vars)
	if err != nil {
		return err
	}
	if len(b) > MaxVars {
		return Reject(fmt.Sprintf("the config would take %d bytes; an app may have %d", len(b), MaxVars),
			"keep large values in a volume or a storage service")
	}
	return nil
}
