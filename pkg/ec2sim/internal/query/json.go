package query

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
)

// SQSVersion is the version of the SQS API.
const SQSVersion = "2012-11-05"

// SSMVersion is the version of the SSM API.
const SSMVersion = "2014-11-06"

// SecretsVersion is the version of the API of Secrets Manager.
const SecretsVersion = "2017-10-17"

// JSONType and JSONType11 are the content types of the protocols AWS JSON 1.0 and 1.1.
const (
	JSONType   = "application/x-amz-json-1.0"
	JSONType11 = "application/x-amz-json-1.1"
)

const sqsNamespace = "com.amazonaws.sqs#"

// FromJSON is the body of a call in JSON as parameters of the Query protocol, so that both are
// decoded alike: the members of lists are numbered from 1.
func FromJSON(body []byte) (url.Values, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var members map[string]any
	if err := dec.Decode(&members); err != nil {
		return nil, errors.New("the body is no object of JSON")
	}
	form := url.Values{}
	for name, value := range members {
		flatten(form, name, value)
	}
	return form, nil
}

func flatten(form url.Values, key string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			flatten(form, join(key, name), member)
		}
	case []any:
		for i, member := range v {
			flatten(form, join(key, strconv.Itoa(i+1)), member)
		}
	case string:
		form.Set(key, v)
	case json.Number:
		form.Set(key, v.String())
	case bool:
		form.Set(key, strconv.FormatBool(v))
	}
}

// JSONAnswer encodes the answer of an operation in JSON.
func JSONAnswer(_, _ string, body any) ([]byte, error) { return json.Marshal(body) }

// SQSRefusal encodes an error answer of SQS.
func SQSRefusal(_, code, message string) ([]byte, error) {
	return json.Marshal(struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}{sqsNamespace + code, message})
}

// SSMRefusal encodes an error answer of SSM, and of Secrets Manager.
func SSMRefusal(_, code, message string) ([]byte, error) {
	return json.Marshal(struct {
		Type    string `json:"__type"`
		Message string `json:"message,omitempty"`
	}{code, message})
}

// SQSQueryCode is an error's code as it was before SQS spoke JSON. The header X-Amzn-Query-Error
// has it, and today's SDKs give it to the program.
func SQSQueryCode(code string) string {
	if code == "QueueDoesNotExist" {
		return "AWS.SimpleQueueService.NonExistentQueue"
	}
	return code
}
