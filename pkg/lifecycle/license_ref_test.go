package lifecycle

import (
	"strings"
	"testing"
)

// TestL4LicenseRefKeepsItsText: what names the text of a licence goes on to the appliance, as a
// file or as a token.
func TestL4LicenseRefKeepsItsText(t *testing.T) {
	digest := strings.Repeat("0", 32)
	for ref, want := range map[string]struct {
		text string
		file bool
	}{
		"/l/A.lic#sha256-" + digest:       {"file:/l/A.lic#sha256-" + digest, true},
		"s3://l/e/A.lic#sha256-" + digest: {"s3://l/e/A.lic#sha256-" + digest, true},
		"/l/tokens#token-" + digest:       {"file:/l/tokens#token-" + digest, false},
		"":                                {"", false},
	} {
		if text, file := licenseRef(ref); text != want.text || file != want.file {
			t.Errorf("%q is %q, a file: %t", ref, text, file)
		}
	}
}
