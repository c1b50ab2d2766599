package plugin

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// TellWaiting tells a person at a terminal that a program waits there for a document, how to end
// it, and for how long it waits; a limit of 0 is none. Where standard input is no terminal it tells
// nothing.
func TellWaiting(program, document string, limit time.Duration, stdin io.Reader, stderr io.Writer) {
	f, ok := stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return
	}
	atMost := ""
	if limit > 0 {
		atMost = fmt.Sprintf(", for %s at most", limit)
	}
	fmt.Fprintf(stderr, "%s: waiting for %s on standard input%s; Ctrl-D on a new line ends it; "+
		"%s --help tells more\n", program, document, atMost, program)
}
