package signature

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"aws-provider-executor/pkg/wildcard"
)

// Signers says whose signatures count: a file as ssh-keygen's allowed_signers.
type Signers struct {
	lines   []signer
	revoked []string
}

// signer is one line: a key, and for whom, for what and when it may sign.
type signer struct {
	patterns      []string
	namespaces    []string // nil: any
	after, before time.Time
	key           Key
}

// LineError is what is wrong with one line.
type LineError struct {
	// Line counts from 1.
	Line int
	Err  error
}

// Error tells the line.
func (e LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// ParseSigners reads a file. It names every line that is wrong.
func ParseSigners(text string) (*Signers, []LineError) {
	s := &Signers{}
	var faults []LineError
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		one, err := parseSigner(line)
		if err != nil {
			faults = append(faults, LineError{number, err})
		} else {
			s.lines = append(s.lines, one)
		}
	}
	if len(s.lines) == 0 && len(faults) == 0 {
		faults = append(faults, LineError{number, errors.New("nobody is named")})
	}
	return s, faults
}

func parseSigner(line string) (signer, error) {
	principals, rest, err := firstWord(line)
	if err != nil {
		return signer{}, err
	}
	s := signer{patterns: strings.Split(principals, ",")}
	if slices.Contains(s.patterns, "") {
		return signer{}, errors.New("a principal is empty")
	}
	key, _, options, more, err := ssh.ParseAuthorizedKey([]byte(rest))
	if err != nil || len(more) > 0 {
		return signer{}, errors.New("want principals, options and a public key," +
			" as in ann@example.org ssh-ed25519 AAAA… of a .pub file")
	}
	if err := soundKey(key); err != nil {
		return signer{}, err
	}
	s.key = Key{key}
	for _, o := range options {
		if err := s.option(o); err != nil {
			return signer{}, err
		}
	}
	return s, nil
}

// firstWord takes the principals off, which may be in quotes.
func firstWord(line string) (word, rest string, err error) {
	if quoted, ok := strings.CutPrefix(line, `"`); ok {
		word, rest, found := strings.Cut(quoted, `"`)
		if !found {
			return "", "", errors.New("a quote has no end")
		}
		return word, strings.TrimSpace(rest), nil
	}
	end := strings.IndexAny(line, " \t")
	if end < 0 {
		return "", "", errors.New("it has principals, and no key")
	}
	return line[:end], strings.TrimSpace(line[end:]), nil
}

func (s *signer) option(o string) (err error) {
	name, value, given := strings.Cut(o, "=")
	value = strings.Trim(value, `"`)
	switch strings.ToLower(name) {
	case "cert-authority":
		return errors.New("cert-authority is not supported here: name the keys themselves")
	case "namespaces":
		if s.namespaces = strings.Split(value, ","); !given || slices.Contains(s.namespaces, "") {
			return errors.New("namespaces has an empty one")
		}
	case "valid-after":
		s.after, err = parseTime(value)
	case "valid-before":
		s.before, err = parseTime(value)
	default:
		return fmt.Errorf("the option %q is not known", name)
	}
	return err
}

// parseTime reads a time as ssh-keygen does: of this machine's zone, unless it ends with Z.
func parseTime(text string) (time.Time, error) {
	digits, utc := strings.CutSuffix(text, "Z")
	zone := time.Local
	if utc {
		zone = time.UTC
	}
	for _, form := range []string{"20060102", "200601021504", "20060102150405"} {
		if at, err := time.ParseInLocation(form, digits, zone); len(digits) == len(form) && err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf(
		"%q is no time, want YYYYMMDD or YYYYMMDDHHMM[SS], with Z for UTC", text)
}

// Revoke takes a key out whatever the lines say: by its fingerprint (SHA256:…), or as a public key.
func (s *Signers) Revoke(key string) error {
	fingerprint, ok := strings.CutPrefix(key, "SHA256:")
	if !ok {
		public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(key))
		if err != nil {
			return errors.New("want a fingerprint, as in SHA256:…, or a public key")
		}
		fingerprint = strings.TrimPrefix(ssh.FingerprintSHA256(public), "SHA256:")
	}
	if sum, err := base64.RawStdEncoding.DecodeString(fingerprint); err != nil || len(sum) != 32 {
		return errors.New("want 43 characters after SHA256: of a fingerprint")
	}
	s.revoked = append(s.revoked, "SHA256:"+fingerprint)
	return nil
}

// Check reports why a key is not one by which a principal may sign at a time; nil where it is.
func (s *Signers) Check(principal string, key Key, namespace string, at time.Time) error {
	if slices.Contains(s.revoked, key.Fingerprint()) {
		return fmt.Errorf("the key %s is revoked", key.Fingerprint())
	}
	var reason error
	known := false
	for _, line := range s.lines {
		if line.key.Fingerprint() != key.Fingerprint() {
			continue
		}
		known = true
		if !line.names(principal) {
			continue
		}
		if reason = line.holds(namespace, at); reason == nil {
			return nil
		}
	}
	switch {
	case reason != nil:
		return reason
	case known:
		return fmt.Errorf("the key %s is not one of %s", key.Fingerprint(), principal)
	}
	return fmt.Errorf("the key %s is nobody's who may approve", key.Fingerprint())
}

// names reports whether a line is for a principal: as in ssh, one pattern has to match, and none
// that begins with an exclamation mark.
func (s signer) names(principal string) bool {
	named := false
	for _, p := range s.patterns {
		pattern, no := strings.CutPrefix(p, "!")
		if wildcard.Plain.Match(pattern, principal) {
			if no {
				return false
			}
			named = true
		}
	}
	return named
}

func (s signer) holds(namespace string, at time.Time) error {
	switch {
	case s.namespaces != nil && !slices.ContainsFunc(s.namespaces, func(p string) bool {
		return wildcard.Plain.Match(p, namespace)
	}):
		return fmt.Errorf("the key %s is not for the namespace %s", s.key.Fingerprint(), namespace)
	case !s.after.IsZero() && at.Before(s.after):
		return fmt.Errorf("the key %s is valid from %s on",
			s.key.Fingerprint(), s.after.Format(time.RFC3339))
	case !s.before.IsZero() && !at.Before(s.before):
		return fmt.Errorf("the key %s was valid until %s",
			s.key.Fingerprint(), s.before.Format(time.RFC3339))
	}
	return nil
}

// Aliases are all names that are one person with this one: those on a line with it, and those that
// share a key. A pattern names nobody.
func (s *Signers) Aliases(principal string) []string {
	all := []string{principal}
	for grown := true; grown; {
		grown = false
		for _, line := range s.lines {
			if !s.touches(line, all) {
				continue
			}
			for _, p := range line.patterns {
				if !strings.ContainsAny(p, "*?!") && !slices.Contains(all, p) {
					all, grown = append(all, p), true
				}
			}
		}
	}
	return all
}

// touches reports whether a line's key is one that a line with one of the names has.
func (s *Signers) touches(line signer, names []string) bool {
	return slices.ContainsFunc(s.lines, func(other signer) bool {
		return other.key.Fingerprint() == line.key.Fingerprint() &&
			slices.ContainsFunc(other.patterns, func(p string) bool { return slices.Contains(names, p) })
	})
}
