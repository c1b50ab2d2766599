package query

// IAMVersion is the version of the IAM API.
const IAMVersion = "2010-05-08"

const iamNamespace = "https://iam.amazonaws.com/doc/2010-05-08/"

// Members is a list as IAM writes it.
type Members[T any] struct {
	Member []T `xml:"member"`
}

// IAMAnswer encodes the answer of an operation of IAM.
func IAMAnswer(operation, requestID string, body any) ([]byte, error) {
	return resultAnswer(iamNamespace, operation, requestID, body)
}

// IAMRefusal encodes an error answer of IAM.
func IAMRefusal(requestID, code, message string) ([]byte, error) {
	return resultRefusal(iamNamespace, requestID, code, message)
}
