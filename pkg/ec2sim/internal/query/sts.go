package query

import "encoding/xml"

// STSVersion is the version of the STS API.
const STSVersion = "2011-06-15"

const stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"

// STSAnswer encodes the answer of an operation of STS: what it answers, and then the request's id.
func STSAnswer(operation, requestID string, body any) ([]byte, error) {
	return resultAnswer(stsNamespace, operation, requestID, body)
}

// STSRefusal encodes an error answer of STS.
func STSRefusal(requestID, code, message string) ([]byte, error) {
	return resultRefusal(stsNamespace, requestID, code, message)
}

// resultAnswer encodes an answer in which a result is an element of its own.
func resultAnswer(space, operation, requestID string, body any) ([]byte, error) {
	inner, err := inside(body)
	if err != nil {
		return nil, err
	}
	text := "<" + operation + `Response xmlns="` + space + `">` +
		"<" + operation + "Result>" + string(inner) + "</" + operation + "Result>" +
		"<ResponseMetadata><RequestId>" + requestID + "</RequestId></ResponseMetadata>" +
		"</" + operation + "Response>"
	return []byte(declaration + text), nil
}

type resultError struct {
	XMLName xml.Name
	Type    string `xml:"Error>Type"`
	Code    string `xml:"Error>Code"`
	Message string `xml:"Error>Message"`
	ID      string `xml:"RequestId"`
}

func resultRefusal(space, requestID, code, message string) ([]byte, error) {
	out, err := xml.Marshal(resultError{XMLName: xml.Name{Space: space, Local: "ErrorResponse"},
		Type: "Sender", Code: code, Message: message, ID: requestID})
	return append([]byte(declaration), out...), err
}
