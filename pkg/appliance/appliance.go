// Package appliance says what a network appliance is to the programs that set it up: what can be
// read of it, what can be changed, and what an order for it names. It knows no wire, no disk and no
// product; the drivers below it do.
//
// A driver guarantees:
//
//   - Look changes nothing but the appliance's own log of logins.
//   - A change returns nil where the appliance took it, *protocol.Failure where it certainly is not
//     so, and *action.Unknown where only looking again can tell. None is ever sent twice by itself.
//   - A changed password is recognised by logging in with the new one.
//   - The appliance's identity is checked before anything is sent to it.
//   - No error has a secret in it, and what the appliance says is escaped.
package appliance

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Driver changes one appliance, and reads it.
type Driver interface {
	// Look reads all that can be told. An appliance that does not answer yet is a failure of the class
	// unavailable.
	Look(ctx context.Context) (State, error)
	// SetPassword replaces the first password by the one of the access.
	SetPassword(ctx context.Context) error
	// UploadLicense gives the appliance a licence, after which it may restart.
	UploadLicense(ctx context.Context, l License) error
	// Apply has the appliance run a configuration.
	Apply(ctx context.Context, c Configuration) error
	// SetRole gives the appliance a role in its group.
	SetRole(ctx context.Context, r Role, s Sync) error
}

// Access is how an appliance is reached, with secrets. It is never printed.
type Access struct {
	// Instance is the EC2 instance that the appliance is. Address is where it is managed.
	Instance, Address string
	Port              int
	// Pin is the SHA-256 digest of its certificate, in hexadecimal; CA is PEM of the authorities that
	// may have signed it. One of them must be given; where both are, both must hold.
	Pin string
	CA  []byte
	// ServerName is the name that a certificate under CA must have; Address if it is empty.
	ServerName string
	// Administrator is who logs in. First is the password that the appliance begins with, Password the
	// one that it is to have.
	Administrator, First, Password string
	// WasSet says that the password was set before, as far as is known: it is tried first. A login
	// that is refused counts towards a lock-out.
	WasSet bool
}

// Secrets are the texts that must never be told.
func (a Access) Secrets() []string { return []string{a.Password} }

// State is what was read of an appliance.
type State struct {
	// FirstPassword reports whether it has its first password still. Nothing else can be read then.
	FirstPassword bool
	// Serial and Version are what it says of itself.
	Serial, Version string
	// Licensed reports whether its licence is valid, and LicenseStatus is its own word for that.
	Licensed      bool
	LicenseStatus string
	// Applied are the configurations of ours that it shows to have run, the latest last.
	Applied []Applied
	// Tunnels are its GENEVE tunnels.
	Tunnels []Tunnel
	Role    Role
	// RolePartly reports whether the appliance refused a part of what gave it the role. SyncInterface
	// is the interface by which it synchronises; empty where it does not tell.
	RolePartly    bool
	SyncInterface string
}

// Applied is a configuration that an appliance ran.
type Applied struct {
	Digest string
	// Whole reports whether the appliance took all of its lines.
	Whole bool
}

// Tunnel is a GENEVE tunnel from an interface of the appliance to an address.
type Tunnel struct{ Name, Interface, Remote string }

// License is what a licence is given by: a file, or a token. One of them is empty.
type License struct {
	File  []byte
	Token string
}

// Configuration is what an appliance is to run. Text may have secrets in it; Digest tells
// configurations apart, and rests on no secret. Secrets are those that Text may have.
type Configuration struct {
	Digest, Text string
	Secrets      []string
}

// Sync is what the members of a group synchronise by.
type Sync struct{ Interface, Secret string }

// DigestOf is the digest of a text, in hexadecimal.
func DigestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// The roles of an appliance.
const (
	NoRole    = "none"
	Primary   = "primary"
	Secondary = "secondary"
)

// Role is the role of an appliance in its group. Primary is the address of the primary of a
// secondary.
type Role struct{ Kind, Primary string }

// String is the role as facts tell it: none, primary, or secondary:ADDRESS.
func (r Role) String() string {
	if r.Kind == Secondary {
		return Secondary + ":" + r.Primary
	}
	return r.Kind
}

// ParseRole reads what String writes.
func ParseRole(text string) (Role, bool) {
	kind, primary, is := strings.Cut(text, ":")
	switch {
	case is && kind == Secondary:
		return Role{kind, primary}, isIPv4(primary)
	case !is && (kind == NoRole || kind == Primary):
		return Role{Kind: kind}, true
	}
	return Role{}, false
}

// isIPv4 reports whether a text is an IPv4 address.
func isIPv4(text string) bool {
	parts := strings.Split(text, ".")
	return len(parts) == 4 && !slices.ContainsFunc(parts, func(p string) bool {
		n, err := strconv.ParseUint(p, 10, 8)
		return err != nil || strconv.FormatUint(n, 10) != p
	})
}

// Latest is the configuration of ours that ran last.
func (s State) Latest() (Applied, bool) {
	if len(s.Applied) == 0 {
		return Applied{}, false
	}
	return s.Applied[len(s.Applied)-1], true
}

// maxSaid is how much of what another program says a sentence repeats.
const maxSaid = 300

// minSecret is the length from which a text is taken out wherever it stands.
const minSecret = 4

// formsOf are the texts by which secrets may be repeated, the longest first: as they are, each line
// of one with several, as JSON has them, and in base64.
func formsOf(secrets []string) []string {
	var all []string
	for _, secret := range secrets {
		for _, s := range append(strings.Split(secret, "\n"), secret) {
			if s = strings.TrimSpace(s); len(s) < minSecret {
				continue
			}
			var plain strings.Builder
			e := json.NewEncoder(&plain)
			e.SetEscapeHTML(false)
			_ = e.Encode(s) // a text always has a form
			inJSON, _ := json.Marshal(s)
			all = append(all, s, strings.Trim(plain.String(), "\"\n"),
				strings.Trim(string(inJSON), `"`), strings.Trim(strconv.QuoteToASCII(s), `"`),
				base64.StdEncoding.EncodeToString([]byte(s)))
		}
		if len(secret) >= minSecret {
			all = append(all, secret, base64.StdEncoding.EncodeToString([]byte(secret)))
		}
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return slices.Compact(all)
}

// Said is what an appliance or a program said, for a sentence: in quotes, bounded, and without
// secrets.
func Said(text string, secrets ...string) string { return strconv.Quote(Plain(text, secrets...)) }

// Plain is what an appliance or a program said, for a fact: on one line, bounded, and without
// secrets and what can't be printed.
func Plain(text string, secrets ...string) string {
	for _, form := range formsOf(secrets) {
		text = strings.ReplaceAll(text, form, "(redacted)")
	}
	text = strings.ToValidUTF8(strings.Join(strings.Fields(text), " "), "\uFFFD")
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
	if len(text) > maxSaid {
		text = strings.ToValidUTF8(text[:maxSaid], "") + "…"
	}
	return text
}
