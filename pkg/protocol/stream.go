package protocol

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Documents takes a stream of documents apart. They follow one another, with nothing but white
// space between them. Each is a JSON object or array.
type Documents struct{ from *bufio.Reader }

// NewDocuments takes apart what is read from r.
func NewDocuments(r io.Reader) *Documents {
	return &Documents{bufio.NewReaderSize(r, 64<<10)}
}

// ErrUnframed says that where a document ends can't be told, so that nothing after it can be read.
var ErrUnframed = errors.New("the end of the document can't be told")

// Next returns the next document, from its first byte to its last. What is in it is not looked at
// beyond that: it may be no JSON for all that. Of one that is larger than a request may be, one
// byte more than that is returned.
//
// The error is io.EOF after the last document. It wraps ErrUnframed, and the document is what was
// read of it, if the stream ends within a document, if something else than one begins, or if its
// brackets or quotes do not match. Then nothing tells which request a later document is.
func (d *Documents) Next() ([]byte, error) {
	b, err := d.begin()
	if err != nil {
		return nil, err
	}
	doc, f := []byte{b}, framer{}
	for err = f.next(b); err == nil && len(f.open) > 0; err = f.next(b) {
		if b, err = d.from.ReadByte(); err != nil {
			return doc, fmt.Errorf("%w: %w", ErrUnframed, io.ErrUnexpectedEOF)
		}
		if len(doc) <= MaxRequestBytes {
			doc = append(doc, b)
		}
	}
	return doc, err
}

// begin returns the first byte of the next document.
func (d *Documents) begin() (byte, error) {
	for {
		b, err := d.from.ReadByte()
		if err != nil || bytes.IndexByte([]byte(" \t\r\n"), b) < 0 {
			return b, err
		}
	}
}

// framer finds the end of an object or an array: where nothing is open any more.
type framer struct {
	// open are the closing brackets that are awaited.
	open             []byte
	inText, isEscape bool
}

// next takes one more byte. It fails with ErrUnframed at one that no document has there.
func (f *framer) next(b byte) error {
	switch {
	case f.inText && b < ' ':
		return fmt.Errorf("%w: a text in it does not end", ErrUnframed)
	case f.isEscape:
		f.isEscape = false
	case f.inText:
		f.isEscape, f.inText = b == '\\', b != '"'
	case b == '{':
		f.open = append(f.open, '}')
	case b == '[':
		f.open = append(f.open, ']')
	case len(f.open) == 0, len(f.open) > MaxRequestBytes:
		return fmt.Errorf("%w: it begins with no bracket, or with too many", ErrUnframed)
	case b == '"':
		f.inText = true
	case b == '}', b == ']':
		last := len(f.open) - 1
		if f.open[last] != b {
			return fmt.Errorf("%w: its brackets do not match", ErrUnframed)
		}
		f.open = f.open[:last]
	}
	return nil
}

// orderMember is what an answer in a stream has beside the members of a result.
const orderMember = "request"

// WriteStreamed writes the answer to a stream's nth request as one line, in one Write. The answer
// is a document as Encode writes it. The line is the same document, with the member request before
// the others.
func WriteStreamed(w io.Writer, n int, answer []byte) error {
	var flat bytes.Buffer
	if err := json.Compact(&flat, answer); err != nil {
		return fmt.Errorf("cannot encode the result: %w", err)
	}
	line := strconv.AppendInt([]byte(`{"`+orderMember+`":`), int64(n), 10)
	line = append(append(append(line, ','), flat.Bytes()[1:]...), '\n')
	_, err := w.Write(line)
	return err
}

// DecodeStreamed reads a line that WriteStreamed wrote, as strictly as DecodeResult does. A line
// that names no request has the number 0, and a fault.
func DecodeStreamed(line []byte) (n int, r Result, faults Faults) {
	r, faults = DecodeResult(line)
	var told struct {
		Request json.RawMessage `json:"request"`
	}
	if json.Unmarshal(line, &told) == nil {
		// A number with a sign, a point or an exponent is none of a request.
		if n, err := strconv.Atoi(string(told.Request)); err == nil && n > 0 {
			return n, r, faults
		}
	}
	return 0, r, append(faults, Fault{orderMember, "is not the number of a request"})
}
