package action

import (
	"errors"
	"strings"
	"testing"

	"aws-provider-executor/pkg/protocol"
)

// TestCommandText: any text is one but what is too large, or has a credential. What is refused is
// not told, and what to do instead is.
func TestCommandText(t *testing.T) {
	const key = "AKIAIOSFODNN7EXAMPLE"
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"echo a\necho b\x00", ""},
		{strings.Repeat("x", maxCommandText), ""},
		{strings.Repeat("x", maxCommandText+1), "has 32769 bytes, want at most 32768"},
		{"export K=" + key, "name a parameter of SSM instead, as in {{ssm-secure:name}}"},
	} {
		got, err := CommandText.Canonical(tt.text)
		var hidden *HiddenError
		switch {
		case tt.want == "":
			if err != nil || got != tt.text {
				t.Errorf("%.20q: %v", tt.text, err)
			}
		case !errors.As(err, &hidden), got != "", !strings.Contains(err.Error(), tt.want),
			strings.Contains(err.Error(), key):
			t.Errorf("%.20q: %v, want %s", tt.text, err, tt.want)
		}
	}
	v := Verb{Name: "v", Parameters: []Field{{Name: "parameter.<name>", Key: ParameterName,
		Form: CommandText}}}
	_, faults := v.check(protocol.Request{Parameters: map[string]string{"parameter.x": key}})
	if len(faults) != 1 || faults[0].Path != "spec.parameters.parameter.x" ||
		!strings.HasPrefix(faults[0].Reason, "holds ") || strings.Contains(faults[0].Reason, key) {
		t.Errorf("%v", faults)
	}
}
