package query

import (
	"bytes"
	"encoding/xml"
)

const (
	namespace   = "http://ec2.amazonaws.com/doc/2016-11-15/"
	declaration = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
)

// Version is the API version the wire is of.
const Version = "2016-11-15"

// Items is a list of an answer. It is written even when it is empty, as EC2 does: a client may
// index it.
type Items[T any] struct {
	Item []T `xml:"item"`
}

// List makes an answer's list of what each of from is to show.
func List[F, T any](from []F, show func(F) T) Items[T] {
	items := Items[T]{Item: make([]T, 0, len(from))}
	for _, f := range from {
		items.Item = append(items.Item, show(f))
	}
	return items
}

// Done is the answer of the operations that answer nothing.
type Done struct {
	Return bool `xml:"return"`
}

// Answer encodes the answer of an operation. The body is a struct tagged for encoding/xml.
func Answer(operation, requestID string, body any) ([]byte, error) {
	fields, err := inside(body)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString(declaration)
	out.WriteString("<" + operation + `Response xmlns="` + namespace + `"><requestId>` + requestID +
		"</requestId>")
	out.Write(fields)
	out.WriteString("</" + operation + "Response>")
	return out.Bytes(), nil
}

// inside encodes the fields of a struct, without an element around them.
func inside(body any) ([]byte, error) {
	var b bytes.Buffer
	const frame = "answer"
	enc := xml.NewEncoder(&b)
	if err := enc.EncodeElement(body, xml.StartElement{Name: xml.Name{Local: frame}}); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(bytes.TrimPrefix(b.Bytes(), []byte("<"+frame+">")),
		[]byte("</"+frame+">")), nil
}

type errorBody struct {
	XMLName xml.Name `xml:"Response"`
	Code    string   `xml:"Errors>Error>Code"`
	Message string   `xml:"Errors>Error>Message"`
	ID      string   `xml:"RequestID"`
}

// Refusal encodes an error answer.
func Refusal(requestID, code, message string) ([]byte, error) {
	out, err := xml.Marshal(errorBody{Code: code, Message: message, ID: requestID})
	return append([]byte(declaration), out...), err
}
