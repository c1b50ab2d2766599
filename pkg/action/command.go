package action

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/redact"
)

const (
	asciiLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	asciiDigits  = "0123456789"
)

// DocumentName names a document of SSM, or is its ARN.
var DocumentName = Form{
	Name:    "SSM document",
	Pattern: `^[A-Za-z0-9_.:/-]{3,128}$`,
	Canonical: func(s string) (string, error) {
		if len(s) < 3 || len(s) > 128 || strings.Trim(s, asciiLetters+asciiDigits+"_.:/-") != "" {
			return "", errors.New("want the name of a document, as in AWS-RunShellScript, or its ARN")
		}
		return s, nil
	},
	Names:   func(string) Kind { return SSMDocument },
	Example: "AWS-RunShellScript",
}

// DocumentVersion is a version of a document of SSM.
var DocumentVersion = Form{
	Name:    "version of an SSM document",
	Pattern: `^([$]LATEST|[$]DEFAULT|[1-9][0-9]{0,8})$`,
	Canonical: func(s string) (string, error) {
		if s == "$LATEST" || s == "$DEFAULT" || whole(s, 1, 999_999_999) {
			return s, nil
		}
		return "", errors.New("want a number from 1, $LATEST or $DEFAULT")
	},
	Example: "1",
}

// ParameterName is the name of a parameter of a document.
var ParameterName = Form{
	Name:    "parameter's name",
	Pattern: `^[A-Za-z0-9_-]{1,64}$`,
	Canonical: func(s string) (string, error) {
		if s == "" || len(s) > 64 || strings.Trim(s, asciiLetters+asciiDigits+"_-") != "" {
			return "", errors.New("want a name of letters, digits, _ and -")
		}
		return s, nil
	},
	Example: "commands",
}

// maxCommandText is the largest value of a document's parameter.
const maxCommandText = 32 << 10

// HiddenError is of a text that must not be told.
type HiddenError struct{ Reason string }

// Error is what is wrong, without the text.
func (e *HiddenError) Error() string { return e.Reason }

// CommandText is the value of a document's parameter. Each line is one text of a list. One in which
// a credential is written out is refused: the request is kept, and read by many.
var CommandText = Form{
	Name:    "text, one line for each item of a list",
	Pattern: ``,
	Canonical: func(s string) (string, error) {
		if len(s) > maxCommandText {
			return "", &HiddenError{fmt.Sprintf("has %d bytes, want at most %d", len(s), maxCommandText)}
		}
		if what := redact.Credential(s); what != "" {
			return "", &HiddenError{"holds " + what + ": the request is kept in the journal; name a " +
				"parameter of SSM instead, as in {{ssm-secure:name}}, or have the node fetch the secret"}
		}
		return s, nil
	},
	Example: "uptime",
}

// Unnamed is one line of what another program wrote, without what may be a secret in it.
func Unnamed(text string) string {
	return redact.Shapes(redact.Named(strings.Join(strings.Fields(text), " ")))
}

// Bucket is the name of a bucket of S3.
var Bucket = Form{
	Name:    "S3 bucket",
	Pattern: `^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`,
	Canonical: func(s string) (string, error) {
		const alnum = "abcdefghijklmnopqrstuvwxyz" + asciiDigits
		if len(s) < 3 || len(s) > 63 || strings.Trim(s, alnum+".-") != "" ||
			strings.Trim(s, ".-") != s {
			return "", errors.New("want the name of a bucket, of small letters, digits, . and -")
		}
		return s, nil
	},
	Example: "my-command-output",
}

// KeyPrefix is the beginning of keys in a bucket.
var KeyPrefix = Form{
	Name:    "prefix of keys in an S3 bucket",
	Pattern: `^[A-Za-z0-9_.=/-]{1,500}$`,
	Canonical: func(s string) (string, error) {
		if s == "" || len(s) > 500 || strings.Trim(s, asciiLetters+asciiDigits+"_.=/-") != "" {
			return "", errors.New("want at most 500 letters, digits and _ . = / -")
		}
		return s, nil
	},
	Example: "commands/",
}

// DeliverySeconds is how long a command of SSM may wait for its start: half a minute to 30 days.
var DeliverySeconds = Form{
	Name: "number of seconds from 30 to 2592000",
	Pattern: `^([3-9][0-9]|[1-9][0-9]{2,5}|1[0-9]{6}|2[0-4][0-9]{5}|25[0-8][0-9]{4}|` +
		`259[01][0-9]{3}|2592000)$`,
	Canonical: func(s string) (string, error) {
		if !whole(s, 30, 2_592_000) {
			return "", errors.New("want a number of seconds from 30 to 2592000")
		}
		return s, nil
	},
	Example: "60",
}

// Digit is a number from 0 to 9.
var Digit = Form{
	Name:    "number from 0 to 9",
	Pattern: `^[0-9]$`,
	Canonical: func(s string) (string, error) {
		if !whole(s, 0, 9) {
			return "", errors.New("want a number from 0 to 9")
		}
		return s, nil
	},
	Example: "2",
}

// whole reports whether a text is a whole number between two others, as everybody writes it.
func whole(s string, low, high int) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= low && n <= high && strconv.Itoa(n) == s
}
