// Package lifecycle turns what Auto Scaling tells of its instances into actions that the gate lets
// through.
//
// A step of a launch or of a terminate is an ordinary action: recorded before its change, read
// back, undone by its key. The handler has no other way to change anything. It guarantees:
//
//   - The keys of the steps follow from the account, the region, the group, the instance and the
//     step. So an event that comes twice asks for the same actions.
//   - A launch goes on only when every step that it needs was read back. Otherwise what was done is
//     undone, last first, and the launch is abandoned.
//   - A terminate undoes what the launch did, last first, whoever did it.
//   - Events of accounts and groups that neither configuration nor policy names are left alone.
//   - A message is deleted last.
//
// The package knows no SDK, no SQL and no processes.
package lifecycle

import "strings"

// shown is a text of a stranger's as a message has it.
func shown(text string) string {
	const most = 80
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	return strings.ToValidUTF8(text, "?")
}
