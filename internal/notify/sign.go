package notify

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"time"
)

// keySize is the size of the key of a signature, in bytes: Standard Webhooks wants 24 to 64.
const keySize = 32

// keyHead begins a key as people copy it.
const keyHead = "whsec_"

func newKey() []byte {
	key := make([]byte, keySize)
	rand.Read(key)
	return key
}

func keyText(key []byte) string { return keyHead + base64.StdEncoding.EncodeToString(key) }

// sign is the header webhook-signature of a message, and at the header webhook-timestamp.
func sign(key []byte, id string, at time.Time, body []byte) (timestamp, signature string) {
	timestamp = strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return timestamp, "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
