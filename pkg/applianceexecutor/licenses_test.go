package applianceexecutor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"aws-provider-executor/pkg/licenses"
	"aws-provider-executor/pkg/licenses/licensemodel"
	"aws-provider-executor/pkg/protocol"
)

// A licence is read from where assign-license says that it is, or is a secret.
func TestTextsOfLicences(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"FGT1.lic": "LICENCE ü", "list": "T0KEN1\nT0KEN2\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	id := func(token string) string {
		return licensemodel.TokenPrefix + licenses.Digest([]byte(token))
	}
	text := func(text string) string {
		return "#" + licensemodel.TextPrefix + licenses.Digest([]byte(text))
	}
	asked := ""
	secret := func(_ context.Context, ref string) (string, error) {
		asked = ref
		return "a secret", nil
	}
	const arn = "arn:aws:ssm:ap-northeast-1:111122223333:parameter/a.lic"
	for _, tt := range []struct {
		ref, want string
		class     protocol.FailureClass
	}{
		{"file:" + dir + "/FGT1.lic", "LICENCE ü", ""},
		{"file:" + dir + "/list#" + id("T0KEN2"), "T0KEN2", ""},
		{"file:" + dir + "/list#" + id("T0KEN3"), "", protocol.NotFound},
		{"file:" + dir + "/none.lic", "", protocol.NotFound},
		{"file:" + dir + "/other", "a secret", ""},
		{"file:" + dir + "/FGT1.lic" + text("LICENCE ü\r\n"), "LICENCE ü", ""},
		{"file:" + dir + "/FGT1.lic" + text("LICENCE u"), "", protocol.Conflict},
		{"file:" + dir + "/other" + text("a secret"), "a secret", ""},
		{arn, "a secret", ""},
	} {
		asked = ""
		got, err := licenseReader{&pools{}}.text(t.Context(), tt.ref, secret)
		var f *protocol.Failure
		switch {
		case tt.class == "" && (err != nil || got != tt.want):
			t.Errorf("%s: %q %v", tt.ref, got, err)
		case tt.class != "" && (!errors.As(err, &f) || f.Class != tt.class):
			t.Errorf("%s: %q %v", tt.ref, got, err)
		case (asked != "") != (tt.want == "a secret"):
			t.Errorf("%s: the secret %q was asked for", tt.ref, asked)
		}
	}
}
