package action

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"aws-provider-executor/pkg/protocol"
)

// Form is the form of a text on the wire.
type Form struct {
	// Name is the form's name in the reference.
	Name string
	// Pattern is the same form as an anchored ECMA 262 regular expression.
	Pattern string
	// Canonical checks a text and returns the one spelling it has inside. Its
	// error says what would be right.
	Canonical func(string) (string, error)
	// Names is the kind of resource that a text names in a field of this form; nil where none does.
	// A text that is not of the form names what the form is of.
	Names func(text string) Kind
	// Example is a text of the form.
	Example string
}

// The forms.
var (
	InterfaceID  = resourceID("network interface id", "eni")
	InstanceID   = resourceID("instance id", "i")
	RouteTableID = resourceID("route table id", "rtb")
	SubnetID     = resourceID("subnet id", "subnet")
	AllocationID = resourceID("allocation id of an Elastic IP", "eipalloc")
	PublicPoolID = resourceID("id of a public IPv4 pool", "ipv4pool-ec2")

	// Region is a region's name; whether it exists is the provider's to say.
	Region = Form{
		Name:      "region",
		Pattern:   `^[a-z]{2,5}(-[a-z]{2,20}){1,3}-[0-9]{1,2}$`,
		Canonical: canonicalRegion,
		Example:   "ap-northeast-1",
	}

	// HostIPv4 is one IPv4 address that an interface can have, bare or as a /32. Canonical is bare.
	HostIPv4 = Form{
		Name:      "IPv4 address",
		Pattern:   `^` + hostIPv4 + `(/32)?$`,
		Canonical: canonicalHostIPv4,
		Example:   "10.88.60.9/32",
	}

	// HostAddress is one IPv4 or IPv6 address that an interface can have, bare, as a /32 or as a /128.
	// Canonical is bare.
	HostAddress = Form{
		Name:      "IP address",
		Pattern:   `^(` + hostIPv4 + `(/32)?|` + hostIPv6 + `(/128)?)$`,
		Canonical: canonicalHostAddress,
		Example:   "10.88.60.9/32",
	}

	// Destination is what a route leads to: an address, or an IPv4 network from /16 or an IPv6 network
	// from /32 on. Canonical is the network without host bits, as EC2 itself keeps it.
	Destination = Form{
		Name: "route destination",
		Pattern: `^(` + hostIPv4 + `(/(1[6-9]|2[0-9]|3[0-2]))?|` + hostIPv6 +
			`(/(3[2-9]|[4-9][0-9]|1[01][0-9]|12[0-8]))?)$`,
		Canonical: canonicalDestination,
		Example:   "10.99.0.9/32",
	}

	// Network is a network that interfaces can have addresses in: all of IPv4 or of IPv6, an IPv4
	// network from /8 or an IPv6 network from /7 on, or one address, which is a network of one.
	// Canonical is without host bits.
	Network = Form{
		Name: "network",
		Pattern: `^(0\.0\.0\.0/0|::/0|169\.254\.` + octet + `\.` + octet + `/([89]|1[0-5])|` +
			hostIPv4 + `(/([89]|[12][0-9]|3[0-2]))?|` + hostIPv6 +
			`(/([7-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))?)$`,
		Canonical: canonicalNetwork,
		Example:   "10.88.60.0/24",
	}

	// RouteTarget is where a route leads: what it names by an id or an ARN, local, or none for no
	// route.
	RouteTarget = Form{
		Name: "route target",
		Pattern: `^(none|local|(` + strings.Join(routeTargets, "|") + `)-([0-9a-f]{8}|[0-9a-f]{17})` +
			`|arn:aws[a-z-]*:(` + strings.Join(routeServices, "|") +
			`):[a-z0-9-]*:[0-9]{12}:[A-Za-z0-9/_-]+)$`,
		Canonical: canonicalRouteTarget,
		Names:     kindOf,
		Example:   "igw-0123456789abcdef0",
	}

	// Boolean is a truth value. Canonical is true or false.
	Boolean = Form{
		Name: "boolean",
		Pattern: `^(1|[tT][rR][uU][eE]|[yY][eE][sS]|[oO][nN]|` +
			`0|[fF][aA][lL][sS][eE]|[nN][oO]|[oO][fF][fF])$`,
		Canonical: canonicalBoolean,
		Example:   "true",
	}

	// Instant is a time as RFC 3339 has it, in the spelling that everybody writes.
	Instant = Form{
		Name: "RFC 3339 time",
		Pattern: `^` + calendarDay +
			`T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`,
		Canonical: canonicalInstant,
		Example:   "2026-11-28T15:04:05Z",
	}

	// Text is any text.
	Text = Form{
		Name:      "text",
		Pattern:   ``,
		Canonical: func(s string) (string, error) { return s, nil },
		Example:   "text",
	}
)

const (
	// leapYear is a year that has a 29th of February.
	leapYear    = `([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)`
	calendarDay = `([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|` +
		`(0[469]|11)-(0[1-9]|[12][0-9]|30)|` +
		`02-(0[1-9]|1[0-9]|2[0-8]))|` + leapYear + `-02-29)`

	octet = `(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])`
	// hostIPv4 leaves out what no interface has: 0/8, 127/8, 169.254/16, and 224/4 and up.
	hostIPv4 = `((([1-9]|[1-9][0-9]|1[01][0-9]|12[0-6]|12[89]|1[3-5][0-9]|16[0-8]|` +
		`1[7-9][0-9]|2[01][0-9]|22[0-3])\.` + octet +
		`)|(169\.(25[0-35]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])))\.` + octet + `\.` + octet
	group = `[0-9A-Fa-f]{1,4}`
	// hostIPv6 is in 2000::/3 or fc00::/7: the first of the eight groups has all its digits, and ::
	// stands for one group or more after it.
	hostIPv6 = `([23][0-9A-Fa-f]{3}|[fF][c-dC-D][0-9A-Fa-f]{2})(` +
		`(:` + group + `){7}|(:` + group + `){0,6}::` +
		`|::` + group + `(:` + group + `){0,5}` +
		`|:` + group + `::` + group + `(:` + group + `){0,4}` +
		`|(:` + group + `){2}::` + group + `(:` + group + `){0,3}` +
		`|(:` + group + `){3}::` + group + `(:` + group + `){0,2}` +
		`|(:` + group + `){4}::` + group + `(:` + group + `)?` +
		`|(:` + group + `){5}::` + group + `)`
)

// routeTargets are the prefixes of the ids that routes lead to, and routeServices the services
// whose things have an ARN instead.
var (
	routeTargets = []string{"eni", "i", "igw", "vgw", "nat", "eigw", "pcx", "tgw", "lgw", "cagw",
		"vpce"}
	routeServices = []string{"networkmanager", "odb"}
)

// OneOf is a choice of words.
func OneOf(words ...string) Form {
	return Form{
		Name:    "one of `" + strings.Join(words, "`, `") + "`",
		Pattern: "^(" + strings.Join(words, "|") + ")$",
		Canonical: func(s string) (string, error) {
			if !slices.Contains(words, s) {
				return "", fmt.Errorf("want one of %s", strings.Join(words, ", "))
			}
			return s, nil
		},
		Example: words[0],
	}
}

// ListOf is one or more texts of a form, comma-separated, without spaces.
func ListOf(f Form) Form {
	item := strings.TrimSuffix(strings.TrimPrefix(f.Pattern, "^"), "$")
	pattern := "^" + item + "(," + item + ")*$"
	if f.Pattern == "" {
		// Any text is a list of texts.
		pattern = ""
	}
	return Form{
		Name:    f.Name + "s, comma-separated",
		Pattern: pattern,
		Canonical: func(s string) (string, error) {
			items := strings.Split(s, ",")
			for i, x := range items {
				c, err := f.Canonical(x)
				if err != nil {
					return "", err
				}
				items[i] = c
			}
			return strings.Join(items, ","), nil
		},
		Example: f.Example,
	}
}

// resourceID is an EC2 resource id: a prefix and 8 or 17 lower-case hexadecimal digits.
func resourceID(name, prefix string) Form {
	want := fmt.Errorf("want %s- and 8 or 17 lower-case hexadecimal digits", prefix)
	return Form{
		Name:    name,
		Pattern: "^" + prefix + "-([0-9a-f]{8}|[0-9a-f]{17})$",
		Canonical: func(s string) (string, error) {
			digits, ok := strings.CutPrefix(s, prefix+"-")
			if !ok || (len(digits) != 8 && len(digits) != 17) ||
				strings.Trim(digits, "0123456789abcdef") != "" {
				return "", want
			}
			return s, nil
		},
		Names:   func(string) Kind { return kindOf(prefix) },
		Example: prefix + "-0123456789abcdef0",
	}
}

func canonicalRegion(s string) (string, error) {
	want := errors.New("want a region's name, as in ap-northeast-1")
	parts := strings.Split(s, "-")
	if len(parts) < 3 || len(parts) > 5 {
		return "", want
	}
	last := len(parts) - 1
	for i, p := range parts {
		alphabet, low, high := "abcdefghijklmnopqrstuvwxyz", 2, 20
		switch i {
		case 0:
			high = 5
		case last:
			alphabet, low, high = "0123456789", 1, 2
		}
		if len(p) < low || len(p) > high || strings.Trim(p, alphabet) != "" {
			return "", want
		}
	}
	return s, nil
}

func canonicalHostIPv4(s string) (string, error) {
	bare, length, isPrefix := strings.Cut(s, "/")
	a, err := netip.ParseAddr(bare)
	switch {
	case err != nil || !a.Is4():
		return "", errors.New("want one IPv4 address, bare or as a /32")
	case isPrefix && length != "32":
		return "", errors.New("is a network, want one IPv4 address, bare or as a /32")
	}
	if err := hostFault(a); err != nil {
		return "", err
	}
	return a.String(), nil
}

func canonicalHostAddress(s string) (string, error) {
	bare, length, isPrefix := strings.Cut(s, "/")
	a, err := parseAddress(bare)
	switch {
	case err != nil:
		return "", errors.New("want one IP address, bare, as a /32 or as a /128")
	case isPrefix && length != strconv.Itoa(a.BitLen()):
		return "", errors.New("is a network, want one IP address, bare, as a /32 or as a /128")
	}
	if err := hostFault(a); err != nil {
		return "", err
	}
	return a.String(), nil
}

func canonicalDestination(s string) (string, error) {
	bare, _, isPrefix := strings.Cut(s, "/")
	a, err := parseAddress(bare)
	if err != nil {
		return "", errors.New("want an IP address or a network")
	}
	if err := hostFault(a); err != nil {
		return "", err
	}
	if !isPrefix {
		return netip.PrefixFrom(a, a.BitLen()).String(), nil
	}
	shortest := 16
	if a.Is6() {
		shortest = 32
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Bits() < shortest {
		return "", fmt.Errorf("want a network from /%d to /%d, or one address", shortest, a.BitLen())
	}
	return p.Masked().String(), nil
}

func canonicalNetwork(s string) (string, error) {
	if s == "0.0.0.0/0" || s == "::/0" {
		return s, nil
	}
	bare, _, isPrefix := strings.Cut(s, "/")
	a, err := parseAddress(bare)
	if err != nil {
		return "", errors.New("want a network, as in 10.88.60.0/24, or one address")
	}
	shortest, p := 8, netip.PrefixFrom(a, a.BitLen())
	if a.Is6() {
		shortest = 7
	}
	if isPrefix {
		p, err = netip.ParsePrefix(s)
	}
	// From here on the link-local addresses are part of a network with others.
	const linkLocal = 16
	if err := hostFault(a); err != nil &&
		!(a.Is4() && a.IsLinkLocalUnicast() && p.Bits() < linkLocal) {
		return "", err
	}
	if err != nil || p.Bits() < shortest {
		return "", fmt.Errorf("want a network from /%d to /%d, or one address", shortest, a.BitLen())
	}
	return p.Masked().String(), nil
}

// parseAddress takes an IPv4 address, or an IPv6 address that has neither a zone nor an IPv4 tail.
func parseAddress(s string) (netip.Addr, error) {
	if strings.Contains(s, ":") && strings.ContainsAny(s, ".%") {
		return netip.Addr{}, errors.New("want plain hexadecimal groups")
	}
	return netip.ParseAddr(s)
}

// hostFault tells why no interface can have the address.
func hostFault(a netip.Addr) error {
	switch first := a.AsSlice()[0]; {
	case a.IsUnspecified():
		return errors.New("is the unspecified address, want an interface's address")
	case a.IsLoopback():
		return errors.New("is a loopback address, want an interface's address")
	case a.IsLinkLocalUnicast():
		return errors.New("is a link-local address, want an interface's address")
	case a.IsMulticast():
		return errors.New("is a multicast address, want an interface's address")
	case a.Is4() && (first == 0 || first >= 240), a.Is6() && first>>5 != 1 && first&0xfe != 0xfc:
		return errors.New("is in a reserved range, want an interface's address")
	}
	return nil
}

func canonicalRouteTarget(s string) (string, error) {
	want := errors.New("want the id or the ARN of a route's target, local, or none")
	if s == "none" || s == "local" {
		return s, nil
	}
	if arn := strings.SplitN(s, ":", 6); len(arn) == 6 {
		partition, isAWS := strings.CutPrefix(arn[1], "aws")
		const lower, digits = "abcdefghijklmnopqrstuvwxyz", "0123456789"
		if arn[0] != "arn" || !isAWS || strings.Trim(partition, lower+"-") != "" ||
			!slices.Contains(routeServices, arn[2]) ||
			strings.Trim(arn[3], lower+digits+"-") != "" || len(arn[4]) != 12 ||
			strings.Trim(arn[4], digits) != "" ||
			arn[5] == "" || strings.Trim(arn[5], lower+strings.ToUpper(lower)+digits+"/_-") != "" {
			return "", want
		}
		return s, nil
	}
	prefix, _, _ := strings.Cut(s, "-")
	if !slices.Contains(routeTargets, prefix) {
		return "", want
	}
	if _, err := resourceID("", prefix).Canonical(s); err != nil {
		return "", want
	}
	return s, nil
}

func canonicalInstant(s string) (string, error) {
	want := errors.New("want a time as in 2026-11-28T15:04:05Z")
	const second, digits = "0000-00-00T00:00:00", "0123456789"
	if len(s) <= len(second) || !shaped(s[:len(second)], second) {
		return "", want
	}
	zone := s[len(second):]
	if fraction, ok := strings.CutPrefix(zone, "."); ok {
		if zone = strings.TrimLeft(fraction, digits); zone == fraction {
			return "", want
		}
	}
	// The package time takes more than this, and an offset of 24 hours.
	offset := len(zone) == 6 && (zone[0] == '+' || zone[0] == '-') && shaped(zone[1:], "00:00") &&
		zone[1:3] < "24" && zone[4:] < "60"
	if _, err := time.Parse(time.RFC3339, s); err != nil || zone != "Z" && !offset {
		return "", want
	}
	return s, nil
}

// shaped reports whether a text is like a shape, in which 0 stands for any digit.
func shaped(s, shape string) bool {
	if len(s) != len(shape) {
		return false
	}
	for i := range len(shape) {
		if c := s[i]; shape[i] == '0' && (c < '0' || c > '9') || shape[i] != '0' && c != shape[i] {
			return false
		}
	}
	return true
}

func canonicalBoolean(s string) (string, error) {
	switch strings.ToLower(s) {
	case "1", "true", "yes", "on":
		return "true", nil
	case "0", "false", "no", "off":
		return "false", nil
	}
	return "", errors.New("want a boolean: 1, true, yes, on, or 0, false, no, off")
}

// check finds every fault of what the verb declares, and reduces the request to that.
func (v Verb) check(r protocol.Request) (Request, protocol.Faults) {
	var faults protocol.Faults
	reduce := func(path string, fields []Field, given map[string]string) map[string]string {
		canonical := map[string]string{}
		check := func(f Field, key string) {
			text, present := given[key]
			switch {
			case !present && f.Required, present && text == "" && f.Required:
				faults = append(faults, protocol.Fault{Path: path + "." + key, Reason: "is required: " + f.Doc})
				return
			case !present, text == "" && f.Form.Name != Boolean.Name && !f.EmptyCounts:
				return
			}
			c, err := f.Form.Canonical(text)
			var hidden *HiddenError
			if errors.As(err, &hidden) {
				faults = append(faults, protocol.Fault{Path: path + "." + key, Reason: hidden.Reason})
				return
			}
			if err != nil {
				faults = append(faults,
					protocol.Fault{Path: path + "." + key,
						Reason: "is " + protocol.Quote(text) + ": " + err.Error()})
				return
			}
			canonical[key] = c
		}
		for _, f := range fields {
			for _, key := range f.keys(given) {
				check(f, key)
			}
		}
		return canonical
	}
	if c := v.Choice; c != nil && Misspelt(r.Target[c.Field], c.Value) {
		faults = append(faults,
			protocol.Fault{Path: "spec.target." + c.Field,
				Reason: "is " + protocol.Quote(r.Target[c.Field]) + ": want " + c.Value +
					", or anything that is not so nearly that"})
	}
	return Request{
		Target:     reduce("spec.target", v.Target, r.Target),
		Parameters: reduce("spec.parameters", v.Parameters, r.Parameters),
	}, faults
}

// Misspelt reports whether a text is a word but for case and punctuation: to take it for
// something else would do another thing than was meant.
func Misspelt(text, word string) bool {
	return text != word && protocol.Plain(text) == protocol.Plain(word)
}

// MisspeltPattern is what is Misspelt, and the word itself, as a regular expression.
func MisspeltPattern(word string) string {
	const between = `[^0-9A-Za-z]*`
	pattern := "^" + between
	for _, r := range word {
		if letter := string(r); strings.Contains("abcdefghijklmnopqrstuvwxyz0123456789", letter) {
			pattern += "[" + letter + strings.ToUpper(letter) + "]" + between
		}
	}
	return pattern + "$"
}
