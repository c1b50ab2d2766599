// Package configtext makes the configuration of a FortiGate from templates.
//
// Templates are a part of Go's (text/template); what is not in that part is refused before anything
// is made. A name that is not known is an error. What a value may hold is checked before any
// template sees it: it can't end a quote of FortiOS, begin a line, or be taken for anything but a
// value. The same order and the same templates give the same bytes.
package configtext

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"aws-provider-executor/pkg/appliance"
)

const (
	// maxValue is how many bytes a value may have, maxText how many a configuration may have.
	maxValue, maxText = 1024, 1 << 20
	// firstRoute is the number of the first static route to a tunnel's remote end. The routes have
	// fixed numbers, so that a configuration that runs again makes no second ones.
	firstRoute = 9001
)

// Template is a template with its name.
type Template struct{ Name, Text string }

// Values are what a template may name.
type Values struct {
	// Instance, Region and Address are those of the appliance.
	Instance, Region, Address string
	// Role is none, primary or secondary; PrimaryAddress is that of the primary of a secondary.
	Role, PrimaryAddress string
	SyncInterface        string
	Tunnels              []Tunnel
	// ProbePort is where the appliance answers probes; 0 for nowhere.
	ProbePort int
	// Values and Secrets are what the request gives by name.
	Values, Secrets map[string]string
}

// Tunnel is a GENEVE tunnel, with the number of the static route to its remote end.
type Tunnel struct {
	appliance.Tunnel
	Route int
}

// own are the templates that come before those of users: GENEVE tunnels, and answers to probes.
var own = Template{Name: "(built in)", Text: `{{- if .Tunnels -}}
config system geneve
{{range .Tunnels}}edit "{{.Name}}"
set interface "{{.Interface}}"
set type ppp
set remote-ip {{.Remote}}
next
{{end}}end
config router static
{{range .Tunnels}}edit {{.Route}}
set dst {{.Remote}}/32
set device "{{.Interface}}"
set dynamic-gateway enable
next
{{end}}end
{{end -}}
{{- if .ProbePort -}}
config system probe-response
set mode http-probe
set port {{.ProbePort}}
end
{{end -}}
`}

// Of are the values of an order, with its secrets resolved.
func Of(o appliance.Order, secrets map[string]string) Values {
	v := Values{
		Instance: o.Instance, Region: o.Region, Address: o.Address,
		Role: o.Role.Kind, PrimaryAddress: o.Role.Primary, SyncInterface: o.SyncInterface,
		ProbePort: o.ProbePort, Values: o.Values, Secrets: secrets,
	}
	if v.Role == "" {
		v.Role = appliance.NoRole
	}
	tunnels := slices.SortedFunc(slices.Values(o.Tunnels), func(a, b appliance.Tunnel) int {
		return strings.Compare(a.Name, b.Name)
	})
	for i, t := range tunnels {
		v.Tunnels = append(v.Tunnels, Tunnel{t, firstRoute + i})
	}
	return v
}

// Render makes the configuration. References are what the secrets of v are named by: the digest is
// over them, and rests on no secret.
func Render(
	templates []Template, v Values, references map[string]string,
) (appliance.Configuration, error) {
	if err := v.check(); err != nil {
		return appliance.Configuration{}, err
	}
	text, err := render(templates, v)
	if err != nil {
		return appliance.Configuration{}, err
	}
	public := v
	public.Secrets = references
	// A template that goes another way by the text of a reference than by that of a secret may fail
	// here alone. Then nothing is applied.
	told, err := render(templates, public)
	if err != nil {
		return appliance.Configuration{}, err
	}
	return appliance.Configuration{
		Digest: appliance.DigestOf(told), Text: text, Secrets: slices.Sorted(maps.Values(v.Secrets)),
	}, nil
}

func render(templates []Template, v Values) (string, error) {
	var all strings.Builder
	for _, t := range append([]Template{own}, templates...) {
		if !utf8.ValidString(t.Text) {
			return "", fmt.Errorf("the template %q is not in UTF-8", t.Name)
		}
		program, err := parsed(t)
		if err != nil {
			return "", fmt.Errorf("the template can't be read: %w", err)
		}
		w := &bounded{left: maxText - all.Len()}
		if err := program.execute(w, v); errors.Is(err, errTooLong) {
			return "", fmt.Errorf("the template %q: %w", t.Name, errTooLong)
		} else if err != nil {
			return "", err
		}
		part := w.String()
		all.WriteString(part)
		if part != "" && !strings.HasSuffix(part, "\n") {
			all.WriteByte('\n')
		}
	}
	return all.String(), nil
}

var errTooLong = fmt.Errorf("the configuration has more than %d bytes", maxText)

// bounded is a buffer that refuses to grow over a limit.
type bounded struct {
	bytes.Buffer
	left int
}

// Write refuses what is over the limit.
func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errTooLong
	}
	return b.Buffer.Write(p)
}

// check names every value that a configuration may not hold, and never tells a secret.
func (v Values) check() error {
	var wrong []error
	see := func(what, text string) {
		if why := Fault(text); why != "" {
			wrong = append(wrong, fmt.Errorf("%s %s", what, why))
		}
	}
	for _, part := range []struct{ what, text string }{
		{"the instance", v.Instance}, {"the region", v.Region}, {"the address", v.Address},
		{"the role", v.Role}, {"the primary's address", v.PrimaryAddress},
		{"the interface to synchronise by", v.SyncInterface},
	} {
		see(part.what, part.text)
	}
	for _, t := range v.Tunnels {
		see("the name of a tunnel", t.Name)
		see("the interface of a tunnel", t.Interface)
		if a, err := netip.ParseAddr(t.Remote); err != nil || !a.Is4() {
			wrong = append(wrong, errors.New("the remote end of a tunnel is no IPv4 address"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.Values)) {
		see("the value "+name, v.Values[name])
	}
	for _, name := range slices.Sorted(maps.Keys(v.Secrets)) {
		see("the secret "+name, v.Secrets[name])
	}
	return errors.Join(wrong...)
}

// Fault says why a text can't be a value in a configuration of FortiOS; it is empty where it can.
// The text itself is not told.
func Fault(text string) string {
	switch {
	case !utf8.ValidString(text):
		return "is not in UTF-8"
	case len(text) > maxValue:
		return fmt.Sprintf("has %d bytes, want at most %d", len(text), maxValue)
	case strings.ContainsAny(text, "\"\\'`"):
		return "has a quote or a backslash, which could end its place in the configuration"
	case strings.ContainsFunc(text, isBreak):
		return "has a control character, or one that breaks lines"
	case strings.Contains(text, "?"):
		return "has a question mark, by which FortiOS asks for help"
	}
	return ""
}

func isBreak(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Cf, r)
}

// Quoted is a value as a word of FortiOS. It must have no Fault.
func Quoted(text string) string { return `"` + text + `"` }
