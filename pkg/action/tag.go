package action

import (
	"errors"
	"strconv"
	"strings"
)

// NoTag is the value of a tag that a resource does not have. Any other tag has the value that
// TagText makes of its text.
const NoTag = "absent"

// TagText is the value of a tag that a resource has: its text in quotes, escaped as Go does it.
func TagText(text string) string { return strconv.Quote(text) }

// TextOf is the text of a tag's value. It reports whether the value is one that TagText makes.
func TextOf(value string) (text string, ok bool) {
	text, err := strconv.Unquote(value)
	return text, err == nil && TagText(text) == value
}

// tagRune is a letter that all of AWS allows in a tag.
const tagRune = "[A-Za-z0-9 _.:/+=@-]"

var (
	// TagKey is the key of a tag that a user may set: AWS has those that begin with aws: to itself.
	TagKey = Form{
		Name: "key of a tag: 1 to 128 letters, digits, blanks and _.:/+=@-, not aws:…",
		Pattern: "^([B-Zb-z0-9 _.:/+=@-]" + tagRune + "{0,127}" +
			"|[aA]([A-VX-Za-vx-z0-9 _.:/+=@-]" + tagRune + "{0,126})?" +
			"|[aA][wW]([A-RT-Za-rt-z0-9 _.:/+=@-]" + tagRune + "{0,125})?" +
			"|[aA][wW][sS]([A-Za-z0-9 _./+=@-]" + tagRune + "{0,124})?)$",
		Canonical: func(s string) (string, error) {
			const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 _.:/+=@-"
			if s == "" || len(s) > 128 || strings.Trim(s, letters) != "" || len(s) >= 4 &&
				strings.EqualFold(s[:4], "aws:") {
				return "", errors.New("want the key of a tag: 1 to 128 letters, digits, blanks and" +
					" _.:/+=@-, and not aws:…")
			}
			return s, nil
		},
		Example: "role",
	}
	// TagValue is the text of a tag, which may be empty.
	TagValue = Form{
		Name:      "text of a tag, up to 256 characters",
		Canonical: func(s string) (string, error) { return s, nil },
		Example:   "router",
	}
	// FoundTag is the value of a tag as facts tell it.
	FoundTag = Form{
		Name:    "`absent`, or the text of a tag in quotes",
		Pattern: `^(absent|"[^\n]*")$`,
		Canonical: func(s string) (string, error) {
			quoted := len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' && !strings.Contains(s, "\n")
			if s != NoTag && !quoted {
				return "", errors.New("want absent, or the text of a tag in quotes")
			}
			return s, nil
		},
		Example: `"router"`,
	}
	// Taggable is the id of a resource that tags are ensured on.
	Taggable = Form{
		Name:    "id of an interface, an instance or an Elastic IP",
		Pattern: "^(eni|i|eipalloc)-([0-9a-f]{8}|[0-9a-f]{17})$",
		Canonical: func(s string) (string, error) {
			for _, f := range []Form{InterfaceID, InstanceID, AllocationID} {
				if _, err := f.Canonical(s); err == nil {
					return s, nil
				}
			}
			return "", errors.New("want the id of a network interface (eni-…), an instance (i-…) or the" +
				" allocation of an Elastic IP (eipalloc-…)")
		},
		Names:   kindOf,
		Example: InstanceID.Example,
	}
)

// MadeToken names the action that made something, in a tag of it.
var MadeToken = Form{
	Name:    "token of what an action made",
	Pattern: `^[0-9a-f]{32}$`,
	Canonical: func(s string) (string, error) {
		if len(s) != 32 || strings.Trim(s, "0123456789abcdef") != "" {
			return "", errors.New("want 32 lower-case hexadecimal digits")
		}
		return s, nil
	},
	Example: "2f1d8c0a9b3e4d5f6a7b8c9d0e1f2a3b",
}

// Zone is the name of an availability zone; whether it exists is the provider's to say.
var Zone = Form{
	Name:    "availability zone",
	Pattern: `^[a-z][a-z0-9-]{4,38}[a-z]$`,
	Canonical: func(s string) (string, error) {
		const letters = "abcdefghijklmnopqrstuvwxyz"
		if len(s) < 6 || len(s) > 40 || strings.Trim(s, letters+"0123456789-") != "" ||
			!strings.Contains(letters, s[:1]) || !strings.Contains(letters, s[len(s)-1:]) {
			return "", errors.New("want the name of an availability zone, as in ap-northeast-1a")
		}
		return s, nil
	},
	Example: "ap-northeast-1a",
}
