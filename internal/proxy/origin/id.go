package origin

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
)

// IDHeader has the id of a request, on its way to the app and in the answer.
const IDHeader = "X-Request-Id"

const maxID = 128 // bytes

// ID is the id of a request: the one that a trusted proxy has sent, if it can stand in a log, or a new one. One that a
// client sends is not taken: it could name another's request.
func ID(o Origin, sent []string) string {
	if o.Proxy && len(sent) == 1 && isID(sent[0]) {
		return sent[0]
	}
	var id [16]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

func isID(text string) bool {
	return text != "" && len(text) <= maxID && !strings.ContainsFunc(text, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("-_.:+/=@", c))
	})
}
