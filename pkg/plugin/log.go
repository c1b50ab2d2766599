package plugin

import (
	"io"

	"aws-provider-executor/pkg/protocol"
)

// maxLogBytes leaves room below what a core bears, for what a runtime may add.
const maxLogBytes = protocol.MaxLogBytes * 3 / 4

// boundedLog lets whole lines through until they would be too much, and then says
// so once.
type boundedLog struct {
	to   io.Writer
	left int
}

const logFull = `{"level":"WARNING","msg":"the log is full, the rest is dropped"}` + "\n"

// Write never fails: a log that can't be written is no reason to stop.
func (b *boundedLog) Write(line []byte) (int, error) {
	switch {
	case b.left <= 0:
	case len(line)+len(logFull) > b.left:
		_, _ = io.WriteString(b.to, logFull)
		b.left = 0
	default:
		b.left -= len(line)
		_, _ = b.to.Write(line)
	}
	return len(line), nil
}
