package plugin

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/protocol"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, timeout, log string
		want               Settings
		faults             int
	}{
		{"nothing", "", "", Settings{25 * time.Second, slog.LevelWarn}, 0},
		{"both", "3s", "debug", Settings{3 * time.Second, slog.LevelDebug}, 0},
		{"bounds", "100ms", "error", Settings{100 * time.Millisecond, slog.LevelError}, 0},
		{"too short", "99ms", "warn", Settings{25 * time.Second, slog.LevelWarn}, 1},
		{"too long", "61m", "", Settings{25 * time.Second, slog.LevelWarn}, 1},
		{"no duration", "25", "loud", Settings{25 * time.Second, slog.LevelWarn}, 2},
	} {
		got, faults := Parse(map[string]string{"EXECUTOR_TIMEOUT": c.timeout, "EXECUTOR_LOG": c.log})
		if got != c.want || len(faults) != c.faults {
			t.Errorf("%s: %v, %v", c.name, got, faults)
		}
	}
}

// TestLogStaysBelowWhatACoreBears: whole lines, and one that says that there are no more.
func TestLogStaysBelowWhatACoreBears(t *testing.T) {
	var out strings.Builder
	log := NewLog(&out, slog.LevelInfo)
	for range 2000 {
		log.Info("a line", "text", strings.Repeat("x", 100))
	}
	said := out.String()
	if len(said) >= protocol.MaxLogBytes || strings.Count(said, logFull) != 1 ||
		!strings.HasSuffix(said, logFull) {
		t.Errorf("%d bytes, ending in %q", len(said), said[max(0, len(said)-100):])
	}
	for line := range strings.Lines(said) {
		if !strings.HasPrefix(line, "{") || !strings.HasSuffix(line, "}\n") {
			t.Fatalf("not a whole line: %q", line)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("gone") }

func TestLogThatIsGoneStopsNothing(t *testing.T) {
	b := &boundedLog{to: broken{}, left: maxLogBytes}
	if n, err := b.Write([]byte("line\n")); n != 5 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

// TestAValueOfTheLog is bounded, on one line, and has nothing in it that a terminal would obey; the
// level has the name that people know.
func TestAValueOfTheLog(t *testing.T) {
	var out strings.Builder
	log := NewLog(&out, slog.LevelInfo)
	long := strings.Repeat("é", maxLogValue)
	log.Warn("a\u009b31m", "text", "x\x1b[2J\x7f\u202e\n\t", "error", errors.New(long), "n", 7)
	said := out.String()
	for _, want := range []string{
		`"level":"WARNING","msg":"a?31m","text":"x\u001b[2J??\n\t","error":"éé`, `é…","n":7}`,
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in %q", want, said[:200])
		}
	}
	if strings.Count(said, "\n") != 1 || len(said) > maxLogValue+300 {
		t.Errorf("%d bytes in %d lines", len(said), strings.Count(said, "\n"))
	}
	if s, faults := Parse(map[string]string{"EXECUTOR_LOG": "warning"}); len(faults) > 0 ||
		s.LogLevel != slog.LevelWarn {
		t.Errorf("%v, %v", s, faults)
	}
}
