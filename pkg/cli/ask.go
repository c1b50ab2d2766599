package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/view"
)

// changeLines tell changes as a person reads them: what becomes of each attribute.
func changeLines(changes []protocol.Change) []string {
	lines := make([]string, len(changes))
	for i, c := range changes {
		lines[i] = fmt.Sprintf("  ~ %s %s: %s → %s", printable(c.Resource), printable(c.Attribute),
			printable(c.From), printable(c.To))
	}
	return lines
}

// ask asks a person for a yes, and waits as long as the context lasts. No answer is a no.
func (a *app) ask(
	ctx context.Context, question string, shown []view.Card,
) (bool, error) {
	for _, card := range shown {
		fmt.Fprint(a.stderr, card.Text(view.Plain))
	}
	fmt.Fprint(a.stderr, question, " Only yes is a yes: ")
	line, err := a.answers().read(ctx)
	if !a.atTerminal() || err != nil {
		// Nobody typed the end of the line.
		fmt.Fprintln(a.stderr)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return strings.TrimSpace(line) == "yes", nil
}

// answers reads lines of standard input, one for each question.
type answers struct {
	lines chan string
	ended chan error
}

// answers begins to read standard input, once.
func (a *app) answers() *answers {
	if a.asked == nil {
		a.asked = &answers{make(chan string), make(chan error, 1)}
		go a.asked.scan(a.stdin.Reader)
	}
	return a.asked
}

func (s *answers) scan(in io.Reader) {
	r := bufio.NewReader(in)
	for {
		line, err := r.ReadString('\n')
		if line != "" {
			s.lines <- line
		}
		if err != nil {
			s.ended <- err
			return
		}
	}
}

func (s *answers) read(ctx context.Context) (string, error) {
	select {
	case line := <-s.lines:
		return line, nil
	case err := <-s.ended:
		s.ended <- err
		return "", err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// atTerminal reports whether a person sits at standard input.
func (a *app) atTerminal() bool {
	f, ok := a.stdin.Reader.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
