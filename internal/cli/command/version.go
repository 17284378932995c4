package command

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseVersion reads "v12" or "12"; an empty text is 0: none was named.
func ParseVersion(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	v, err := strconv.Atoi(strings.TrimPrefix(s, "v"))
	if err != nil || v < 1 {
		return 0, fmt.Errorf("%.20q is no release; they are named v1, v2, …", s)
	}
	return v, nil
}
