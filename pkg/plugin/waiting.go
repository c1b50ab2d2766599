package plugin

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// TellWaiting tells a person at a terminal that a program waits there for a document, how to end
// it, and for how long it waits. Where standard input is no terminal it tells nothing.
func TellWaiting(program, document string, limit time.Duration, stdin io.Reader, stderr io.Writer) {
	f, ok := stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return
	}
	fmt.Fprintf(stderr, "%s: waiting for %s on standard input, for %s at most; Ctrl-D on a new line "+
		"ends it; %s --help tells more\n", program, document, limit, program)
}
