package locks

import "testing"

// TestWithoutAbsent: a package of npm's registry named an optional dependency that the registry does not have, and no
// app with it could be installed.
func TestWithoutAbsent(t *testing.T) {
	const whole = `{"packages":{"":{"dependencies":{"a":"1"}},"node_modules/a":{"optionalDependencies":{"b":"1"}},"node_modules/b":{}}}`
	if got := string(WithoutAbsent([]byte(whole))); got != whole {
		t.Errorf("a whole one became %s", got)
	}
	const lacks = `{"packages":{"node_modules/a":{"optionalDependencies":{"b":"1","c":"2"}},"node_modules/x/node_modules/b":{}}}`
	want := "{\n  \"packages\": {\n    \"node_modules/a\": {\n      \"optionalDependencies\": {\n        \"b\": \"1\"\n      }\n    }," +
		"\n    \"node_modules/x/node_modules/b\": {}\n  }\n}"
	if got := string(WithoutAbsent([]byte(lacks))); got != want {
		t.Errorf("got %s", got)
	}
	for _, text := range []string{"", "null", `{"packages":3}`} {
		if got := string(WithoutAbsent([]byte(text))); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}
