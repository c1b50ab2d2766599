package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ErrTooLarge says that a result is larger than what a core reads; nothing was written.
var ErrTooLarge = fmt.Errorf("the result is larger than %d bytes", MaxResultBytes)

// Encode writes a result as one document, indented by two spaces and closed by
// a newline, in one Write. The same result gives the same bytes.
func Encode(w io.Writer, r Result) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("cannot encode the result: %w", err)
	}
	if b.Len() > MaxResultBytes {
		return ErrTooLarge
	}
	_, err := w.Write(b.Bytes())
	return err
}

// maxQuoted is how much of a caller's text an error repeats.
const maxQuoted = 80

// Quote makes a caller's text fit to be repeated in an error or a log: quoted,
// bounded, and masked where it has the form of an AWS access key id.
func Quote(s string) string {
	return strconv.Quote(bounded(s))
}

// bounded is a caller's text cut to what is repeated of it, and masked if it is an access key.
func bounded(s string) string {
	switch {
	case looksLikeAccessKey(s):
		return "(an access key)"
	case len(s) > maxQuoted:
		return strings.ToValidUTF8(s[:maxQuoted], "") + "…"
	}
	return s
}

// looksLikeAccessKey finds the 20-character form of an access key id anywhere.
func looksLikeAccessKey(s string) bool {
	for i := 0; i+20 <= len(s); i++ {
		if p := s[i : i+4]; p != "AKIA" && p != "ASIA" {
			continue
		}
		if strings.Trim(s[i:i+20], "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == "" {
			return true
		}
	}
	return false
}
