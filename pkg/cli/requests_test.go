package cli

import (
	"strings"
	"testing"
)

const deskYAML = `apiVersion: provideraction.routerd.net/v1alpha1
kind: ExecuteActionRequest
spec:
  provider: aws
  action: assign-secondary-ip
  mode: dry-run
  idempotencyKey: 2026-11-21
  target: {nicRef: eni-01088600000000011, address: 10.88.60.9, region: ap-northeast-1}
`

// TestAKeyThatLooksLikeADateStaysAsItIsWritten: it is what makes two requests one.
func TestAKeyThatLooksLikeADateStaysAsItIsWritten(t *testing.T) {
	d := newDesk(t)
	d.write("request.yaml", deskYAML)
	out, _ := d.run(
		ExitDone,
		"",
		"policy",
		"check",
		"-f",
		d.path("policy.yaml"),
		"-f",
		d.path("request.yaml"),
		"-o",
		"json",
	)
	d.says(out, `"idempotencyKey": "2026-11-21"`)
}

func TestWhatIsWrongWithAFileOfRequestsIsNamedWhereItIs(t *testing.T) {
	d := newDesk(t)
	for text, want := range map[string]string{
		"spec: [\n":               "it is neither JSON nor YAML: yaml: line 1",
		"{\"a\":\n":               "request 1: the request is not one JSON document (line 1, column 6)",
		"\t":                      "there is no request on the input",
		deskRequest + "\n{\"a\"":  "request 2: the request is not one JSON document (line 1, column",
		deskRequest + "\n---\n{}": "request 2: apiVersion: is required",
		deskRequest + "\nspec: x": "request 2: the request is not one JSON document (line 1, column 1)",
	} {
		_, said := d.run(ExitFailed, text, "run", "-f", "-")
		if !strings.Contains(said, want) {
			t.Errorf("%q: %s, want %s", text, said, want)
		}
	}
}
