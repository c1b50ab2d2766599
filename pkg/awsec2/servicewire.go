package awsec2

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// wire is a protocol of AWS: how a service is asked, and how it answers.
type wire interface {
	// body is what is sent for an operation.
	body(o operation, in any) ([]byte, error)
	// setHeader sets what a request says beside its body.
	setHeader(h http.Header, o operation)
	// whole reports whether the body of a 200 is one whole answer to the operation.
	whole(o operation, header http.Header, body []byte) bool
	// read reads a whole answer.
	read(body []byte, into any) error
	// refusal is what an answer that is no 200 says. It has no code where AWS gave none.
	refusal(header http.Header, body []byte) *refusal
}

// jsonWire is AWS's JSON protocol.
type jsonWire struct {
	// target is what the names of operations have before them in a call's header.
	target string
	// version is that of the protocol: 1.0 or 1.1.
	version string
}

func (jsonWire) body(_ operation, in any) ([]byte, error) { return json.Marshal(in) }

func (w jsonWire) setHeader(h http.Header, o operation) {
	h.Set("Content-Type", "application/x-amz-json-"+w.version)
	h.Set("X-Amz-Target", w.target+"."+o.name)
	// The checksum of an answer is over its bytes as they are sent.
	h.Set("Accept-Encoding", "identity")
}

// whole wants the member that the operation's answers have. Where one may be without a member,
// nothing in it tells who sent it, so it has to have AWS's id of a request.
func (jsonWire) whole(o operation, header http.Header, body []byte) bool {
	if sum := header.Get("X-Amz-Crc32"); sum != "" &&
		sum != strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10) {
		return false
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil || members == nil {
		return false
	}
	if o.member == "" {
		return header.Get("X-Amzn-Requestid") != ""
	}
	value, ok := members[o.member]
	return ok && string(value) != "null"
}

func (jsonWire) read(body []byte, into any) error { return json.Unmarshal(body, into) }

func (jsonWire) refusal(header http.Header, body []byte) *refusal {
	var said struct {
		Type    string `json:"__type"`
		Code    any    `json:"code"`
		Message string `json:"message"`
	}
	r := &refusal{body: body}
	if json.Unmarshal(body, &said) != nil {
		r.body = nil
	}
	code := header.Get("X-Amzn-Errortype")
	if text, ok := said.Code.(string); ok && code == "" {
		code = text
	}
	if said.Type != "" {
		code = said.Type
	}
	// As in com.amazonaws.ssm#InvalidDocument:http://internal.amazon.com/
	code, _, _ = strings.Cut(code, ":")
	r.Code = strings.TrimSpace(code[strings.LastIndex(code, "#")+1:])
	r.Message = said.Message
	return r
}

// queryWire is AWS's Query protocol: a form is sent, and XML comes back.
type queryWire struct {
	// version is that of the service's API, a date.
	version string
}

// body takes an operation's parameters as url.Values.
func (w queryWire) body(o operation, in any) ([]byte, error) {
	form, ok := in.(url.Values)
	if !ok {
		return nil, fmt.Errorf("the parameters of %s are a %T", o.name, in)
	}
	form.Set("Action", o.name)
	form.Set("Version", w.version)
	return []byte(form.Encode()), nil
}

// setHeader leaves it to net/http to ask for compression. That comes after the signature, which a
// proxy that asks for another compression does not break then.
func (queryWire) setHeader(h http.Header, _ operation) {
	h.Set("Content-Type", "application/x-www-form-urlencoded")
}

// whole wants an answer that is named for the operation, with its result, and that ends.
func (queryWire) whole(o operation, _ http.Header, body []byte) bool {
	return wholeAnswer(o.name, body) && bytes.Contains(body, []byte("<"+o.name+"Result"))
}

// wholeAnswer reports whether the body of a 200 begins with a document that is named for the
// operation, and ends with the end of one.
func wholeAnswer(operation string, body []byte) bool {
	if !bytes.HasSuffix(bytes.TrimSpace(body), []byte("</"+operation+"Response>")) {
		return false
	}
	x := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := x.Token()
		if err != nil {
			return false
		}
		if root, ok := token.(xml.StartElement); ok {
			return root.Name.Local == operation+"Response"
		}
	}
}

// read forgets first what another attempt's answer left, for lists would go on from it.
func (queryWire) read(body []byte, into any) error {
	reflect.ValueOf(into).Elem().SetZero()
	return xml.Unmarshal(body, into)
}

// refusal reads an error document whatever its root is, as the SDK does.
func (queryWire) refusal(_ http.Header, body []byte) *refusal {
	var said struct {
		Code    string `xml:"Error>Code"`
		Message string `xml:"Error>Message"`
		Request string `xml:"RequestId"`
	}
	r := &refusal{}
	if xml.Unmarshal(body, &said) == nil {
		r.Code, r.Message = strings.TrimSpace(said.Code), strings.TrimSpace(said.Message)
		r.requestID = strings.TrimSpace(said.Request)
	}
	return r
}
