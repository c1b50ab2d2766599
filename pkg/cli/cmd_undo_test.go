package cli

import (
	"strings"
	"testing"
)

const deskResult = `{"apiVersion":"provideraction.routerd.net/v1alpha1",` +
	`"kind":"ExecuteActionResult","status":{"status":"succeeded",` +
	`"observed":{"priorAssigned":"false"}}}`

func TestUndoOfPairs(t *testing.T) {
	d := newDesk(t)
	pair := func(key string) string {
		return `{"request":` + strings.Replace(
			deskRequest,
			`"k"`,
			`"`+key+`"`,
			1,
		) + `,"result":` + deskResult + "}\n"
	}
	out, _ := d.run(0, pair("a")+pair("b"), "undo")
	if b, a := strings.Index(out, `"b:undo"`), strings.Index(out, `"a:undo"`); b < 0 || a < b ||
		strings.Count(out, "\n") != 2 {
		t.Errorf("%q", out)
	}
	out, _ = d.run(0, pair("a"), "undo", "--mode", "dry-run")
	d.says(out, `"mode": "dry-run"`)
	out, said := d.run(ExitFailed, "", "undo")
	if d.says(said, "standard input is empty"); out != "" {
		t.Errorf("%q", out)
	}
	_, said = d.run(ExitFailed, pair("a")+"{", "undo")
	d.says(said, "pair 2 is no JSON")
	_, said = d.run(ExitFailed, `{"request":{},"result":{}}`, "undo")
	d.says(said, "pair 1: the request: apiVersion: is required")
	_, said = d.run(ExitFailed, `{"request":{},"result":{},"request":{}}`, "undo")
	d.says(said, "pair 1: request: the key is there twice")
	_, said = d.run(ExitFailed, `[{"request":{},"result":{}}]`, "undo")
	d.says(said, "pair 1: is an array, want an object with request and result")
}

func TestUndoOfTheJournal(t *testing.T) {
	d := newDesk(t)
	d.run(0, "", "import", "-f", d.path("plan.json"))
	_, said := d.run(ExitRefused, "", "undo", "1")
	d.says(said, "it is pending: there is nothing to roll back")
	d.run(0, "", "undo", "--all")
}
