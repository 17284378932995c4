package server

import (
	"encoding/json"
	"io"
	"testing"

	"github.com/rs/zerolog"
	gossh "golang.org/x/crypto/ssh"
)

// TestNoteClient: the log says what came, and with which algorithms.
func TestNoteClient(t *testing.T) {
	log, w := io.Pipe()
	h := open(t, func(c *Config) { c.Log = zerolog.New(w) })
	ada := signer(t)
	h.let("ada", ada.PublicKey(), true)
	ended := make(chan error, 1)
	go func() {
		c, err := h.dial("nodeos", gossh.PublicKeys(ada))
		if err == nil {
			_, err = output(t, c, "version")
		}
		ended <- err
	}()
	defer func() {
		log.Close() // what is logged later has no reader
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	for lines := json.NewDecoder(log); ; {
		var l struct {
			Message, Who, Client, Key string
			HostKey                   string `json:"host_key"`
		}
		if err := lines.Decode(&l); err != nil {
			t.Fatal(err)
		}
		if l.Message != "session began" {
			continue
		}
		if l.Who != "ada" || l.Client != "SSH-2.0-Go" || l.Key != gossh.KeyAlgoED25519 || l.HostKey != gossh.KeyAlgoED25519 {
			t.Errorf("%+v", l)
		}
		return
	}
}
