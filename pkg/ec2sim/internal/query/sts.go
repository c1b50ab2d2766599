package query

import "encoding/xml"

// STSVersion is the version of the STS API.
const STSVersion = "2011-06-15"

const stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"

// STSAnswer encodes the answer of an operation of STS: what it answers, and then the request's id.
func STSAnswer(operation, requestID string, body any) ([]byte, error) {
	inner, err := inside(body)
	if err != nil {
		return nil, err
	}
	text := "<" + operation + `Response xmlns="` + stsNamespace + `">` +
		"<" + operation + "Result>" + string(inner) + "</" + operation + "Result>" +
		"<ResponseMetadata><RequestId>" + requestID + "</RequestId></ResponseMetadata>" +
		"</" + operation + "Response>"
	return []byte(declaration + text), nil
}

type stsErrorBody struct {
	XMLName xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
	Type    string   `xml:"Error>Type"`
	Code    string   `xml:"Error>Code"`
	Message string   `xml:"Error>Message"`
	ID      string   `xml:"RequestId"`
}

// STSRefusal encodes an error answer of STS.
func STSRefusal(requestID, code, message string) ([]byte, error) {
	out, err := xml.Marshal(stsErrorBody{
		Type: "Sender", Code: code, Message: message, ID: requestID,
	})
	return append([]byte(declaration), out...), err
}
