package action

import (
	"errors"
	"strings"
)

// ScalingGroupName is the name of an Auto Scaling group.
var ScalingGroupName = Form{
	Name:    "name of an Auto Scaling group",
	Pattern: `^[!-9;-~]([ -9;-~]{0,253}[!-9;-~])?$`,
	Canonical: func(s string) (string, error) {
		foreign := strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == ':' })
		if s == "" || len(s) > 255 || foreign || strings.Trim(s, " ") != s {
			return "", errors.New("want 1 to 255 characters of ASCII, without a colon")
		}
		return s, nil
	},
	Names:   func(string) Kind { return ScalingGroup },
	Example: "edge",
}

// HookName is the name of a lifecycle hook.
var HookName = Form{
	Name:    "name of a lifecycle hook",
	Pattern: `^[A-Za-z0-9_/-]{1,255}$`,
	Canonical: func(s string) (string, error) {
		if s == "" || len(s) > 255 || strings.Trim(s, asciiLetters+asciiDigits+"_/-") != "" {
			return "", errors.New("want 1 to 255 letters, digits, - _ and /")
		}
		return s, nil
	},
	Example: "edge-launch",
}

// ActionToken is the token of a lifecycle action.
var ActionToken = Form{
	Name:    "token of a lifecycle action",
	Pattern: `^[A-Za-z0-9-]{36}$`,
	Canonical: func(s string) (string, error) {
		if len(s) != 36 || strings.Trim(s, asciiLetters+asciiDigits+"-") != "" {
			return "", errors.New("want the 36 letters, digits and hyphens that the event has")
		}
		return s, nil
	},
	Example: "c4000000-0000-4000-8000-0000000000b1",
}
