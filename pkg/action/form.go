package action

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

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
	// Example is a text of the form.
	Example string
}

// The forms.
var (
	InterfaceID  = resourceID("network interface id", "eni")
	InstanceID   = resourceID("instance id", "i")
	RouteTableID = resourceID("route table id", "rtb")

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
		Pattern:   `^((([1-9]|[1-9][0-9]|1[01][0-9]|12[0-6]|12[89]|1[3-5][0-9]|16[0-8]|1[7-9][0-9]|2[01][0-9]|22[0-3])\.` + octet + `)|(169\.(25[0-35]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])))\.` + octet + `\.` + octet + `(/32)?$`,
		Canonical: canonicalHostIPv4,
		Example:   "10.88.60.9/32",
	}

	// Boolean is a truth value. Canonical is true or false.
	Boolean = Form{
		Name:      "boolean",
		Pattern:   `^(1|[tT][rR][uU][eE]|[yY][eE][sS]|[oO][nN]|0|[fF][aA][lL][sS][eE]|[nN][oO]|[oO][fF][fF])$`,
		Canonical: canonicalBoolean,
		Example:   "true",
	}

	// Text is any text.
	Text = Form{
		Name:      "text",
		Pattern:   ``,
		Canonical: func(s string) (string, error) { return s, nil },
		Example:   "text",
	}
)

const octet = `(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])`

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
			if !ok || (len(digits) != 8 && len(digits) != 17) || strings.Trim(digits, "0123456789abcdef") != "" {
				return "", want
			}
			return s, nil
		},
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
	case a.IsUnspecified():
		return "", errors.New("is the unspecified address, want an interface's address")
	case a.IsLoopback():
		return "", errors.New("is a loopback address, want an interface's address")
	case a.IsLinkLocalUnicast():
		return "", errors.New("is a link-local address, want an interface's address")
	case a.IsMulticast():
		return "", errors.New("is a multicast address, want an interface's address")
	case a.As4()[0] == 0 || a.As4()[0] >= 240:
		return "", errors.New("is in a reserved range, want an interface's address")
	}
	return a.String(), nil
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

// Check finds every fault of a request against the descriptor, and reduces the
// request to what the verb declares.
func (v Verb) Check(r protocol.Request) (Request, protocol.Faults) {
	var faults protocol.Faults
	reduce := func(path string, fields []Field, given map[string]string) map[string]string {
		canonical := map[string]string{}
		for _, f := range fields {
			text, present := given[f.Name]
			switch {
			case !present && f.Required, present && text == "" && f.Required:
				faults = append(faults, protocol.Fault{Path: path + "." + f.Name, Reason: "is required: " + f.Doc})
				continue
			case !present, text == "" && f.Form.Name != Boolean.Name:
				continue
			}
			c, err := f.Form.Canonical(text)
			if err != nil {
				faults = append(faults, protocol.Fault{Path: path + "." + f.Name, Reason: "is " + protocol.Quote(text) + ": " + err.Error()})
				continue
			}
			canonical[f.Name] = c
		}
		return canonical
	}
	return Request{
		Target:     reduce("spec.target", v.Target, r.Target),
		Parameters: reduce("spec.parameters", v.Parameters, r.Parameters),
	}, faults
}
