package appliance

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/action"
	device "aws-provider-executor/pkg/appliance"
)

const (
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	digits  = "0123456789"

	octet = `(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])`
	ipv4  = octet + `\.` + octet + `\.` + octet + `\.` + octet
)

// word is a form of names: a letter or digit, then more of them and some signs.
func word(name, signs string, most int, example string) action.Form {
	return action.Form{
		Name:    name,
		Pattern: `^[A-Za-z0-9][A-Za-z0-9` + signs + `]{0,` + strconv.Itoa(most-1) + `}$`,
		Canonical: func(s string) (string, error) {
			if s == "" || len(s) > most || strings.Trim(s, letters+digits+signs) != "" ||
				strings.Contains(signs, s[:1]) {
				return "", errors.New("want at most " + strconv.Itoa(most) +
					" letters, digits and " + signs + ", the first a letter or a digit")
			}
			return s, nil
		},
		Example: example,
	}
}

// The forms.
var (
	administratorName = word("administrator's name", "._@-", 64, "admin")
	templateName      = word("template", "._-", 128, "edge.conf")
	interfaceName     = word("name of an appliance's interface", "._-", 15, "port1")
	hostName          = word("DNS name", ".-", 253, "edge.example.com")

	valueName = action.Form{
		Name:    "name in a template",
		Pattern: `^[A-Za-z][A-Za-z0-9_]{0,63}$`,
		Canonical: func(s string) (string, error) {
			if s == "" || len(s) > 64 || strings.Trim(s, letters+digits+"_") != "" ||
				!strings.Contains(letters, s[:1]) {
				return "", errors.New("want a letter, then letters, digits and _")
			}
			return s, nil
		},
		Example: "hostname",
	}

	// configValue refuses a credential that is written out: the request is kept, and read by many.
	configValue = action.Form{
		Name: "text of one line, up to 1024 bytes",
		Canonical: func(s string) (string, error) {
			if len(s) > 1024 || strings.ContainsAny(s, "\r\n") {
				return "", &action.HiddenError{Reason: "has several lines, or more than 1024 bytes"}
			}
			return action.CommandText.Canonical(s)
		},
		Example: "edge-1",
	}

	managementAddress = action.Form{
		Name:    "IPv4 address of a management interface",
		Pattern: `^` + ipv4 + `$`,
		Canonical: func(s string) (string, error) {
			if a, err := netip.ParseAddr(s); err != nil || !a.Is4() {
				return "", errors.New("want an IPv4 address, as in 10.0.0.5")
			}
			return s, nil
		},
		Example: "10.0.0.5",
	}

	portNumber = action.Form{
		Name: "port from 1 to 65535",
		Pattern: `^([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|` +
			`6553[0-5])$`,
		Canonical: func(s string) (string, error) {
			n, err := strconv.Atoi(s)
			if err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != s {
				return "", errors.New("want a number from 1 to 65535")
			}
			return s, nil
		},
		Example: "443",
	}

	certificateDigest = action.Form{
		Name:    "SHA-256 digest in hexadecimal",
		Pattern: `^[0-9a-fA-F]{64}$`,
		Canonical: func(s string) (string, error) {
			if len(s) != 64 || strings.Trim(s, digits+"abcdefABCDEF") != "" {
				return "", errors.New("want 64 hexadecimal digits")
			}
			return strings.ToLower(s), nil
		},
		Example: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
	}

	// secretRef never is the secret. A text that is none is not told: it may be one.
	secretRef = action.Form{
		Name: "`file:/PATH`, or the ARN of a secret or of an SSM parameter",
		Pattern: `^(file:/[A-Za-z0-9_.@+=/-]{1,1000}|arn:aws[a-z-]{0,20}:secretsmanager:` +
			regionAccount + `:secret:[A-Za-z0-9/_+=.@!-]{1,512}|arn:aws[a-z-]{0,20}:ssm:` + regionAccount +
			`:parameter/[A-Za-z0-9/_.-]{1,1000})$`,
		Canonical: canonicalRef,
		Example:   "file:/etc/appliance/admin",
	}

	// licenseRef is a reference to a secret, or where assign-license says that a licence is.
	licenseRef = action.Form{
		Name: "`file:/PATH`, `s3://BUCKET/KEY` (both may end in `#` and a token's id, or the text's " +
			"digest), or an ARN",
		Pattern: strings.TrimSuffix(secretRef.Pattern, ")$") +
			`|(file:/[A-Za-z0-9_.@+=/-]{1,1000}|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/` +
			`[A-Za-z0-9_.@+=/-]{1,1000})(#(token|sha256)-[0-9a-f]{32})?)$`,
		Canonical: canonicalLicense,
		Example:   "s3://edge-licenses/edge/FGT1.lic",
	}

	tunnelEnd = action.Form{
		Name:    "interface and IPv4 address, as port2:10.0.1.5",
		Pattern: `^[A-Za-z0-9][A-Za-z0-9._-]{0,14}:` + ipv4 + `$`,
		Canonical: func(s string) (string, error) {
			from, to, _ := strings.Cut(s, ":")
			_, wrong := interfaceName.Canonical(from)
			if a, err := netip.ParseAddr(to); err != nil || !a.Is4() || wrong != nil {
				return "", errors.New("want an interface and an IPv4 address, as in port2:10.0.1.5")
			}
			return s, nil
		},
		Example: "port2:10.0.1.5",
	}

	roleFound = action.Form{
		Name: "`none`, `primary`, `secondary:` and the primary's address, `partly:` and one of these, " +
			"or `unread`",
		Pattern: `^(unread|(partly:)?(none|primary|secondary:` + ipv4 + `))$`,
		Canonical: func(s string) (string, error) {
			role, ok := device.ParseRole(wholly(s))
			if ok && role.Kind == device.Secondary {
				a, err := netip.ParseAddr(role.Primary)
				ok = err == nil && a.Is4()
			}
			if !ok && s != unread {
				return "", errors.New("want none, primary, secondary: and an IPv4 address, " +
					"partly: and one of these, or unread")
			}
			return s, nil
		},
		Example: device.Primary,
	}
)

const regionAccount = `[a-z0-9-]{1,40}:[0-9]{12}`

// canonicalRef refuses what is no reference.
func canonicalRef(s string) (string, error) {
	const path = letters + digits + "_.@+=/-"
	rest, isFile := strings.CutPrefix(s, "file:/")
	if isFile && within(rest, 1000, path) || !isFile && isARN(s) {
		return s, nil
	}
	return "", &action.HiddenError{Reason: "is no reference: want file: and an absolute path, or " +
		"the ARN of a secret of Secrets Manager or of a parameter of SSM; a secret itself is not taken"}
}

// canonicalLicense refuses what is no reference to a licence.
func canonicalLicense(s string) (string, error) {
	where, id, named := strings.Cut(s, "#")
	kind, digest, _ := strings.Cut(id, "-")
	right := !named || (kind == "token" || kind == "sha256") && len(digest) == 32 &&
		within(digest, 32, digits+"abcdef")
	if rest, is := strings.CutPrefix(where, "s3://"); is && right {
		bucket, key, _ := strings.Cut(rest, "/")
		_, err := action.Bucket.Canonical(bucket)
		if err == nil && within(key, 1000, letters+digits+"_.@+=/-") {
			return s, nil
		}
	}
	if right && (!named || strings.HasPrefix(where, "file:")) {
		_, err := canonicalRef(where)
		return s, err
	}
	return "", &action.HiddenError{Reason: "is no reference to a licence: want file:/PATH or " +
		"s3://BUCKET/KEY, with # and a token's id where it is a list, or with #sha256- and the text's " +
		"digest, or an ARN; a licence itself is not taken"}
}

// isARN reports whether a text is the ARN of a secret, or of a parameter.
func isARN(s string) bool {
	// arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE
	parts := strings.SplitN(s, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || !isPartition(parts[1]) ||
		!within(parts[3], 40, "abcdefghijklmnopqrstuvwxyz"+digits+"-") ||
		len(parts[4]) != 12 || !within(parts[4], 12, digits) {
		return false
	}
	switch name, is := strings.CutPrefix(parts[5], "secret:"); parts[2] {
	case "secretsmanager":
		return is && within(name, 512, letters+digits+"/_+=.@!-")
	case "ssm":
		name, is = strings.CutPrefix(parts[5], "parameter/")
		return is && within(name, 1000, letters+digits+"/_.-")
	}
	return false
}

func isPartition(s string) bool {
	rest, is := strings.CutPrefix(s, "aws")
	return is && (rest == "" || within(rest, 20, "abcdefghijklmnopqrstuvwxyz-"))
}

// within reports whether a text has letters of some alone, and not too many.
func within(s string, most int, of string) bool {
	return s != "" && len(s) <= most && strings.Trim(s, of) == ""
}
